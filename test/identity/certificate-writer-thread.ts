import { appendFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { mountAsKubernetes, renameOver, type Texts } from "./certificate-writers.ts";

export interface WriterOrder {
  readonly folder: string;
  readonly sets: readonly Texts[];
  readonly how: "kubernetes" | "rename" | "in halves";
  /** Between two sets; between two pieces where they are written in halves. */
  readonly pauseMs: number;
}

// Another thread, so that what it does falls between any two calls of whoever reads.
const { folder, sets, how, pauseMs } = workerData as WriterOrder;
for (const texts of sets) {
  if (how === "kubernetes") mountAsKubernetes(folder, texts);
  else if (how === "rename") renameOver(folder, texts);
  else await writeInHalves(texts);
  await sleep(pauseMs);
}
parentPort?.postMessage("done");

async function writeInHalves(texts: Texts): Promise<void> {
  for (const [name, text] of Object.entries(texts)) {
    const path = join(folder, name);
    const half = Math.floor(text.length / 2);
    writeFileSync(path, text.slice(0, half));
    await sleep(pauseMs);
    appendFileSync(path, text.slice(half));
    await sleep(pauseMs);
  }
}
