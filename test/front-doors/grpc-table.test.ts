import { credentials, Metadata, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { meshError } from "@heddle/core";
import { context, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import type { JoinedMesh } from "heddle";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import { type Outcome, outcomeOf } from "../grpc/calls.ts";
import { TextClient, textService } from "../grpc/text-service.ts";
import { inFlight, join } from "./setup.ts";

// The row of gRPC in the table of front doors, column by column, over real connections.

interface Door {
  readonly name: string;
  client(mesh: JoinedMesh): TextClient;
}

const DOORS: readonly Door[] = [
  { name: "mesh.grpc", client: (mesh) => mesh.grpc(TextClient, "reviews") },
  {
    name: "mesh.grpcOptions",
    client: (mesh) => new TextClient("reviews", credentials.createInsecure(), mesh.grpcOptions()),
  },
];

interface Texts {
  readonly address: string;
  readonly seen: Metadata[];
}

/** Ends calls with the next of these, the last one for ever: OK with `hello` and its address, null is silence. */
async function texts(...statuses: (status | null)[]): Promise<Texts> {
  const left = [...statuses];
  const seen: Metadata[] = [];
  const server = new Server();
  server.addService(
    { unary: textService.unary },
    {
      unary: ({ metadata }: { readonly metadata: Metadata }, answer: (error: object | null, text?: string) => void) => {
        seen.push(metadata);
        const next = left.length > 1 ? left.shift() : left[0];
        if (next === status.OK) answer(null, "hello");
        else if (typeof next === "number") answer({ code: next, details: "as scripted" });
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  onTestFinished(() => server.forceShutdown());
  return { address: `127.0.0.1:${port}`, seen };
}

function call(door: Door, mesh: JoinedMesh, headers: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const client = door.client(mesh);
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  return outcomeOf((done) => client.unary("7", metadata, done)).finally(() => client.close());
}

/** The mesh's own word for what ended it, else the status. */
async function endOf(outcome: Promise<Outcome>): Promise<string | number> {
  const { error, code } = await outcome;
  return meshError(error)?.code ?? code;
}

const METHOD = { grpc: { service: { exact: "test.Text" }, method: { exact: "Unary" } } };

test.each(DOORS)("$name: picks the route by method and metadata, and sets headers", async (door) => {
  const [one, two] = [await texts(status.OK), await texts(status.OK)];
  const mesh = await join([], {
    reviews: {
      protocol: "grpc",
      endpoints: [
        { address: one.address, labels: { v: "1" } },
        { address: two.address, labels: { v: "2" } },
      ],
      subsets: { v1: { labels: { v: "1" } }, v2: { labels: { v: "2" } } },
      routes: [
        { name: "beta", match: { ...METHOD, headers: { "x-user": { exact: "jason" } } }, to: [{ subset: "v2" }] },
        { name: "rest", match: METHOD, to: [{ subset: "v1" }], headers: { request: { set: { "x-env": "prod" } } } },
      ],
    },
  });
  expect((await call(door, mesh, { "x-user": "jason" })).value).toBe("hello");
  expect((await call(door, mesh)).value).toBe("hello");
  expect(two.seen.map((metadata) => metadata.get("x-user"))).toEqual([["jason"]]);
  expect(one.seen.map((metadata) => metadata.get("x-env"))).toEqual([["prod"]]);
});

test.each(DOORS)("$name: rewrites the method", async (door) => {
  const server = await texts(status.OK);
  const routes = [{ name: "old", match: { path: { prefix: "/test.Text" } }, rewrite: { prefix: "/none.Such" } }];
  const mesh = await join([server.address], { reviews: { protocol: "grpc", routes } });
  expect((await call(door, mesh)).code).toBe(status.UNIMPLEMENTED);
  expect(server.seen).toEqual([]);
});

test.each(DOORS)("$name: a timeout holds, and retries, faults and fallbacks are done", async (door) => {
  const silent = await join([(await texts(null)).address], { reviews: { protocol: "grpc", timeout: "100ms" } });
  expect(await endOf(call(door, silent))).toBe("deadline_exceeded");
  await expect.poll(() => inFlight(silent)).toBe(0);

  const server = await texts(status.UNAVAILABLE, status.UNAVAILABLE, status.OK);
  const retry = { on: ["grpc:unavailable"], backoff: { base: 1, max: 1 } };
  const retrying = await join([server.address], { reviews: { protocol: "grpc", retry, outlier: "off" } });
  expect((await call(door, retrying)).value).toBe("hello");
  expect(server.seen).toHaveLength(3);

  const fault = { abort: { percent: 100, grpc: "data-loss" } };
  const faulty = await join([server.address], { reviews: { protocol: "grpc", fault } });
  expect((await call(door, faulty)).code).toBe(status.DATA_LOSS);
  expect(server.seen).toHaveLength(3);

  const fallback = { on: ["no-endpoint"], respond: { status: 429, body: "later" } };
  const fallen = await join([], { reviews: { protocol: "grpc", fallback } });
  expect(await call(door, fallen)).toMatchObject({ code: status.UNAVAILABLE, details: "later" });
});

test.each(DOORS)("$name: mirrors", async (door) => {
  const [server, shadow] = [await texts(status.OK), await texts(status.OK)];
  const mesh = await join([server.address], {
    reviews: { protocol: "grpc", mirror: { service: "shadow", percent: 100 } },
    services: { shadow: { protocol: "grpc", endpoints: [{ address: shadow.address }] } },
  });
  expect((await call(door, mesh)).value).toBe("hello");
  await expect.poll(() => shadow.seen.length).toBe(1);
  expect(server.seen).toHaveLength(1);
});

test.each(DOORS)("$name: limits, breaker and outlier detection", async (door) => {
  const limited = await join([(await texts(null)).address], {
    reviews: { protocol: "grpc", limits: { maxRequests: 1 }, timeout: "300ms" },
  });
  const first = endOf(call(door, limited));
  expect(await endOf(call(door, limited))).toBe("overloaded");
  expect(await first).toBe("deadline_exceeded");

  const failing = await texts(status.INTERNAL);
  const broken = await join([failing.address], { reviews: { protocol: "grpc", breaker: { consecutiveFailures: 2 }, outlier: "off" } });
  const ends = [await endOf(call(door, broken)), await endOf(call(door, broken)), await endOf(call(door, broken))];
  expect(ends).toEqual([status.INTERNAL, status.INTERNAL, "breaker_open"]);

  const healthy = await texts(status.OK);
  const ejecting = await join([failing.address, healthy.address], {
    reviews: { protocol: "grpc", outlier: { consecutiveFailures: 1 }, balancer: { policy: "round-robin" } },
  });
  const codes: number[] = [];
  for (let calls = 0; calls < 6; calls++) codes.push((await call(door, ejecting)).code);
  expect(codes.filter((code) => code === status.INTERNAL)).toHaveLength(1);
});

const exporter = new InMemorySpanExporter();

beforeEach(() => exporter.reset());
afterEach(() => {
  trace.disable();
  context.disable();
});

test.each(DOORS)("$name: trace, log and metrics", async (door) => {
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
  const lines: Record<string, unknown>[] = [];
  const server = await texts(status.OK);
  const mesh = await join([server.address], {
    reviews: { protocol: "grpc" },
    accessLog: { logger: { info: (line: Record<string, unknown>) => void lines.push(line) } } as never,
  });
  expect((await call(door, mesh)).value).toBe("hello");
  await expect.poll(() => exporter.getFinishedSpans()).toHaveLength(1);
  const [span] = exporter.getFinishedSpans();
  expect(String(server.seen[0]?.get("traceparent"))).toContain(span?.spanContext().traceId);
  await expect.poll(() => lines).toMatchObject([{ service: "reviews", grpc_status: "ok" }]);
  expect(mesh.inspect().counters).toMatchObject([{ service: "reviews", outcome: "grpc:ok" }]);
});
