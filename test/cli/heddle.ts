import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { run } from "../../packages/heddle/src/cli/run.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line in this process. */
export async function heddle(...argv: readonly string[]): Promise<Ran> {
  const streams = { out: "", err: "" };
  const to = (name: "out" | "err") => ({
    write(chunk: string | Uint8Array) {
      streams[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
    },
  });
  const code = await run(argv, { out: to("out"), err: to("err") });
  return { code, ...streams };
}

/** A document in a folder that is gone when the test is over. */
export function documentFile(text: string, name = "mesh.yaml"): string {
  const folder = mkdtempSync(join(tmpdir(), "heddle-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
