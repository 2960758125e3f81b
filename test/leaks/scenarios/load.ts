import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type JoinedMesh, joinMesh } from "heddle";
import { ServerProcess } from "../../live/server-process.ts";
import { EditedDocument } from "../editing.ts";
import { heapAfterGc } from "../heap.ts";
import { liveTimers } from "../live-timers.ts";
import { fileDescriptors, type OpenResources, openResources, resourcesAfter } from "../open-resources.ts";
import { scenario } from "../scenario.ts";

export interface LoadInput {
  readonly ports: readonly number[];
  readonly seconds: number;
}

export interface LoadSample {
  readonly atMs: number;
  readonly requests: number;
  readonly heap: number;
  readonly rss: number;
  readonly timers: number;
  readonly fileDescriptors: number;
  readonly connections: number;
  /** Everything that `inspect()` lists, counted. */
  readonly inspected: number;
}

export interface LoadResult {
  readonly samples: readonly LoadSample[];
  readonly requests: number;
  readonly failures: readonly string[];
  readonly edits: number;
  readonly restarts: number;
  readonly inFlightAfter: number;
  readonly before: OpenResources;
  readonly after: OpenResources;
}

const CONCURRENCY = 64;
const EDIT_EVERY_MS = 250;
const KEPT_FAILURES = 20;

class Traffic {
  requests = 0;
  failed = 0;
  readonly failures: string[] = [];
  readonly #mesh: JoinedMesh;
  readonly #callers: Promise<void>[];
  #isStopped = false;

  constructor(mesh: JoinedMesh) {
    this.#mesh = mesh;
    this.#callers = Array.from({ length: CONCURRENCY }, (_, index) => this.#call(index));
  }

  stop(): Promise<unknown> {
    this.#isStopped = true;
    return Promise.all(this.#callers);
  }

  /** Each as soon as it has its answer; every eighth by fetch. */
  async #call(index: number): Promise<void> {
    for (; !this.#isStopped; this.requests++) {
      try {
        const reply = await (index % 8 === 0 ? this.#mesh.fetch("http://reviews/api") : this.#mesh.request("http://reviews/api"));
        await reply.text();
        if (reply.status !== 200) this.#failed(`${reply.status}: ${JSON.stringify(this.#mesh.report(reply))}`);
      } catch (error) {
        this.#failed(`${String(error)}: ${JSON.stringify(this.#mesh.report(error))}`);
      }
    }
  }

  #failed(failure: string): void {
    this.failed++;
    if (this.failures.length < KEPT_FAILURES) this.failures.push(failure);
  }
}

async function take(mesh: JoinedMesh, traffic: Traffic): Promise<LoadSample> {
  const heap = await heapAfterGc();
  const { backends, counters, problems, parts, virtualHosts } = mesh.inspect();
  const endpoints = backends.flatMap((backend) => backend.endpoints);
  return {
    atMs: performance.now(),
    requests: traffic.requests,
    heap,
    rss: process.memoryUsage.rss(),
    timers: liveTimers(),
    fileDescriptors: fileDescriptors(),
    connections: endpoints.reduce((sum, { connections }) => sum + connections, 0),
    inspected: backends.length + endpoints.length + counters.length + problems.length + parts.length + virtualHosts.length,
  };
}

/** Runs `turn` again and again until the time is over; resolves to how often. */
async function repeat(endsAt: number, everyMs: number, turn: () => Promise<void> | void): Promise<number> {
  let times = 0;
  for (; performance.now() < endsAt; times++) {
    await turn();
    await pause(everyMs);
  }
  return times;
}

await scenario(async ({ ports, seconds }: LoadInput): Promise<LoadResult> => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-load-"));
  const servers = await Promise.all(ports.map((port) => ServerProcess.start(port)));
  const document = new EditedDocument(
    join(folder, "mesh.json"),
    servers.map(({ address }) => address),
  );
  // One of each subset stays; the others are killed in turn.
  let turn = 2;
  const restart = async () => {
    const server = servers[turn];
    await server?.kill();
    await pause(300);
    servers[turn] = await ServerProcess.start(server?.port);
    turn = turn === 2 ? 3 : 2;
  };
  try {
    // Opens what a process has one of, for ever: the descriptor of all file watches.
    await (await joinMesh({ config: document.path })).close();
    const before = openResources();
    const mesh = await joinMesh({ config: document.path });
    const traffic = new Traffic(mesh);
    const endsAt = performance.now() + seconds * 1_000;
    const samples: LoadSample[] = [];
    const [restarts] = await Promise.all([
      repeat(endsAt, 1_500, restart),
      repeat(endsAt, EDIT_EVERY_MS, () => document.edit()),
      repeat(endsAt, Math.min(5_000, seconds * 20), async () => void samples.push(await take(mesh, traffic))),
    ]);
    await traffic.stop();
    const inFlightAfter = mesh.inspect().backends.reduce((sum, { inFlight, pending }) => sum + inFlight + pending, 0);
    await mesh.close();
    const { requests, failures } = traffic;
    const after = await resourcesAfter(before);
    return { samples, requests, failures, edits: document.edits, restarts, inFlightAfter, before, after };
  } finally {
    for (const server of servers) server[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  }
});
