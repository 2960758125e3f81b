import { getEventListeners } from "node:events";
import { type JoinedMesh, joinMesh, meshError } from "heddle";
import undici from "undici";
import { heapAfterGc } from "../heap.ts";
import "../live-timers.ts";
import { type OpenResources, openResources, resourcesAfter } from "../open-resources.ts";
import { scenario, until } from "../scenario.ts";
import { afterWarmUp, type Sample, type Trend, trendOf } from "../trend.ts";

export interface CallsInput {
  readonly address: string;
  /** Of each kind. */
  readonly calls: number;
}

export interface CallKindResult {
  readonly kind: string;
  readonly calls: number;
  /** Bytes a call. */
  readonly heap: Trend;
  /** On the signal that all of them were given. */
  readonly listeners: number;
  readonly inFlight: number;
}

export interface CallsResult {
  readonly kinds: readonly CallKindResult[];
  readonly before: OpenResources;
  /** When the mesh is closed. */
  readonly after: OpenResources;
}

const CHUNKS = 20;
const CONCURRENCY = 50;
/** Of the calls asked for, what is made of the kinds that others stand for. */
const FEW = 0.1;

/** What a call came to, as its kind expects it. */
type Call = (signal: AbortSignal) => Promise<unknown>;

async function failing(call: Promise<unknown>, isExpected: (error: unknown) => boolean): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (isExpected(error)) return;
    throw error;
  }
  throw new Error("a call that had to fail did not");
}

function aborting(send: (signal: AbortSignal) => Promise<unknown>): Call {
  const reason = new Error("left");
  return () => {
    const caller = new AbortController();
    const call = failing(send(caller.signal), (error) => error === reason);
    setImmediate(() => caller.abort(reason));
    return call;
  };
}

function documentOf(address: string): object {
  const retry = { maxRetries: 1, backoff: { base: "1ms", max: "1ms" } };
  return {
    apiVersion: "heddle/v1",
    services: {
      reviews: { endpoints: [{ address }], outlier: "off" },
      // Nobody listens on port 1.
      gone: { endpoints: [{ address: "127.0.0.1:1" }], outlier: "off", retry },
    },
    resources: { db: { timeout: "1s" } },
  };
}

function manyOf(mesh: JoinedMesh): Record<string, Call> {
  return {
    "mesh.request with one signal": (signal) => mesh.request("http://reviews/", { signal }).then((reply) => reply.text()),
    "mesh.fetch with one signal": (signal) => mesh.fetch("http://reviews/", { signal }).then((response) => response.text()),
    "aborted calls": aborting((signal) => mesh.request("http://reviews/hang", { signal })),
    "refused calls": () => failing(mesh.request("http://gone/"), (error) => meshError(error)?.code === "connect_failed"),
  };
}

function fewOf(mesh: JoinedMesh): Record<string, Call> {
  const { dispatcher } = mesh;
  const reviews = mesh.service("reviews");
  const down = new Error("down");
  return {
    "a handle's get with one signal": (signal) => reviews.get("/", { signal }).text(),
    "undici.request with one signal": (signal) => undici.request("http://reviews/", { dispatcher, signal }).then(({ body }) => body.text()),
    "protect with one signal": (signal) => mesh.protect("db", async () => "rows", { signal }),
    "calls past their deadline": () =>
      failing(mesh.request("http://reviews/hang", { mesh: { timeout: 1 } }), (error) => meshError(error)?.code === "deadline_exceeded"),
    "functions that fail": () =>
      failing(
        mesh.protect("db", () => Promise.reject(down)),
        (error) => error === down,
      ),
  };
}

function inFlight(mesh: JoinedMesh): number {
  const { backends, resources } = mesh.inspect();
  return [...backends, ...resources].reduce((sum, part) => sum + part.inFlight + part.pending, 0);
}

async function measure(mesh: JoinedMesh, kind: string, call: Call, calls: number): Promise<CallKindResult> {
  const { signal } = new AbortController();
  const samples: Sample[] = [];
  const chunk = calls / CHUNKS;
  for (let done = 0; done < calls; done += chunk) {
    let left = chunk;
    const caller = async () => {
      while (left-- > 0) await call(signal);
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, caller));
    samples.push({ at: done, value: await heapAfterGc() });
  }
  return {
    kind,
    calls,
    heap: trendOf(afterWarmUp(samples)),
    listeners: getEventListeners(signal, "abort").length,
    inFlight: await until(
      () => inFlight(mesh),
      (count) => count === 0,
    ),
  };
}

await scenario(async ({ address, calls }: CallsInput): Promise<CallsResult> => {
  const before = openResources();
  const mesh = await joinMesh({ config: documentOf(address) });
  const kinds: CallKindResult[] = [];
  for (const [kind, call] of Object.entries(manyOf(mesh))) kinds.push(await measure(mesh, kind, call, calls));
  for (const [kind, call] of Object.entries(fewOf(mesh))) kinds.push(await measure(mesh, kind, call, calls * FEW));
  await mesh.close();
  return { kinds, before, after: await resourcesAfter(before) };
});
