import "../live-timers.ts";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type JoinedMesh, joinMesh } from "heddle";
import { throughAgent, useEveryDoor } from "../every-door.ts";
import { measureRounds } from "../rounds.ts";
import { scenario } from "../scenario.ts";
import type { CoreRoundsInput } from "./core-rounds.ts";

function documentOf(address: string, own: string, timeout: string): string {
  return JSON.stringify({
    apiVersion: "heddle/v1",
    services: {
      reviews: { endpoints: [{ address }], timeout },
      checkout: { endpoints: [{ address: own }] },
    },
    resources: { db: { timeout: "1s" } },
  });
}

function save(path: string, content: string): void {
  writeFileSync(`${path}.draft`, content);
  renameSync(`${path}.draft`, path);
}

/** Calls what this process itself serves, which calls on within the inbound request. */
async function callItself(mesh: JoinedMesh): Promise<void> {
  const answer = await mesh.service("checkout").get("/").text();
  if (answer !== "ok") throw new Error(`expected ok, found ${answer}`);
}

async function callInstalled(mesh: JoinedMesh): Promise<void> {
  using _ = mesh.install();
  const answers = [await throughAgent(), await (await fetch("http://reviews/")).text()];
  if (answers.join() !== "ok,ok") throw new Error(`expected ok from what is global, found ${answers}`);
}

/** The whole umbrella: a file that is edited, a listener, what is global, signals, the access log. */
async function round(path: string, address: string): Promise<void> {
  save(path, documentOf(address, "127.0.0.1:1", "10s"));
  let changed: () => void = () => {};
  const inForce = new Promise<void>((resolve) => {
    changed = resolve;
  });
  let isReady = false;
  const mesh = await joinMesh({
    service: "checkout",
    config: path,
    accessLog: { logger: { info: () => {} } },
    onChange: () => isReady && changed(),
  });
  isReady = true;
  const closing = mesh.closeOn(["SIGUSR2"]);
  const { port } = await mesh.listen(
    async (_request, response) => {
      response.end(await mesh.service("reviews").get("/").text());
    },
    { port: 0, host: "127.0.0.1" },
  );
  await useEveryDoor({
    request: mesh.request,
    fetch: mesh.fetch,
    service: mesh.service("reviews"),
    dispatcher: mesh.dispatcher,
    interceptor: mesh.interceptor(),
    agent: mesh.agent(),
  });
  await mesh.protect("db", async () => "rows");
  save(path, documentOf(address, `127.0.0.1:${port}`, "8s"));
  await inForce;
  await Promise.all([callItself(mesh), callInstalled(mesh)]);
  closing[Symbol.dispose]();
  await mesh.close();
}

await scenario(async ({ address, rounds }: CoreRoundsInput) => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-leaks-"));
  try {
    return await measureRounds(rounds, () => round(join(folder, "mesh.json"), address));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
