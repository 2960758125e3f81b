import http from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { type HeaderMap, meshError, type Problem } from "@heddle/core";
import { context, trace } from "@opentelemetry/api";
import { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-node";
import type { JoinedMesh } from "heddle";
import undici, { Agent, type Dispatcher } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inFlight, join, type LoopbackServer, pause, serve, serveEcho } from "./setup.ts";

// The table of front doors, row by row and column by column: what each does, and what it does not.

interface Answer {
  readonly status: number;
  readonly headers: HeaderMap;
  readonly body: string;
}

interface Door {
  readonly name: string;
  send(mesh: JoinedMesh, path: string, headers?: Record<string, string>): Promise<Answer>;
}

type UndiciAnswer = Awaited<ReturnType<typeof undici.request>>;

async function fromUndici(answer: Promise<UndiciAnswer>): Promise<Answer> {
  const { statusCode, headers, body } = await answer;
  return { status: statusCode, headers: headers as HeaderMap, body: await body.text() };
}

async function fromFetch(answer: Promise<Response>): Promise<Answer> {
  const response = await answer;
  return { status: response.status, headers: Object.fromEntries(response.headers), body: await response.text() };
}

const url = (path: string) => `http://reviews${path}`;

/** request, service, fetch, dispatcher, interceptor: everything. */
const WHOLE: readonly Door[] = [
  {
    name: "mesh.request",
    async send(mesh, path, headers = {}) {
      const reply = await mesh.request(url(path), { headers });
      return { status: reply.status, headers: reply.headers, body: await reply.text() };
    },
  },
  {
    name: "mesh.service",
    async send(mesh, path, headers = {}) {
      const reply = await mesh.service("reviews").get(path, { headers });
      return { status: reply.status, headers: reply.headers, body: await reply.text() };
    },
  },
  { name: "mesh.fetch", send: (mesh, path, headers = {}) => fromFetch(mesh.fetch(url(path), { headers, redirect: "manual" })) },
  {
    name: "mesh.dispatcher",
    send: (mesh, path, headers = {}) => fromUndici(undici.request(url(path), { dispatcher: mesh.dispatcher, headers })),
  },
  {
    name: "mesh.interceptor",
    send: (mesh, path, headers = {}) =>
      fromUndici(undici.request(url(path), { dispatcher: new Agent().compose(mesh.interceptor()), headers })),
  },
];

const AGENT: Door = {
  name: "mesh.agent",
  async send(mesh, path, headers = {}) {
    const message = await new Promise<http.IncomingMessage>((resolve, reject) => {
      http.get(url(path), { agent: mesh.agent(), headers }, resolve).on("error", reject);
    });
    return { status: message.statusCode ?? 0, headers: message.headers as HeaderMap, body: await text(message) };
  },
};

/** Resolves to the answer where the endpoint did not switch. The pipe is closed at once where it did. */
const pipe = (name: string, how: Pick<Dispatcher.DispatchOptions, "method" | "upgrade">): Door => ({
  name,
  send: (mesh, path, headers = {}) =>
    new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let head = { status: 0, headers: {} as HeaderMap };
      mesh.dispatcher.dispatch(
        { origin: "http://reviews", path, headers, ...how },
        {
          onRequestStart() {},
          onRequestUpgrade(_controller, status, received, socket) {
            socket.destroy();
            resolve({ status, headers: received as HeaderMap, body: "" });
          },
          onResponseStart(_controller, status, received) {
            head = { status, headers: received as HeaderMap };
          },
          onResponseData: (_controller, chunk) => void chunks.push(chunk as Buffer),
          onResponseEnd: () => resolve({ ...head, body: Buffer.concat(chunks).toString() }),
          onResponseError: (_controller, error) => reject(error),
        },
      );
    }),
});

const UPGRADE = pipe("upgrade", { method: "GET", upgrade: "echo" });
const CONNECT = pipe("CONNECT", { method: "CONNECT" });

const CLAIMED = [...WHOLE, AGENT, UPGRADE, CONNECT];
const isWhole = (door: Door) => WHOLE.includes(door);

/** Answers requests and upgrades with the next of these statuses, the last one for ever; 101 switches, null is silence. */
async function scripted(...statuses: (number | null)[]): Promise<LoopbackServer> {
  const left = [...statuses];
  const next = () => (left.length > 1 ? left.shift() : left[0]) as number | null;
  const served = await serve((_request, response) => {
    const status = next();
    if (status !== null) response.writeHead(status === 101 ? 200 : status).end();
  });
  const pipes = (switched: string) => (_request: http.IncomingMessage, socket: Duplex) => {
    socket.on("error", () => {});
    const status = next();
    if (status === 200 || status === 101) socket.write(switched);
    else if (status !== null) socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
  };
  served.server.on("upgrade", pipes("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"));
  served.server.on("connect", pipes("HTTP/1.1 200 Connected\r\n\r\n"));
  return served;
}

/** Notes what reaches it, requests and upgrades alike. */
async function noting() {
  const seen: http.IncomingMessage[] = [];
  const served = await serveEcho();
  served.server.on("request", (request) => seen.push(request));
  served.server.on("upgrade", (request) => seen.push(request));
  served.server.on("connect", (request) => seen.push(request));
  return { ...served, seen };
}

const good = (door: Door) => (door === UPGRADE ? 101 : 200);

async function codeOf(answer: Promise<Answer>): Promise<string | number | undefined> {
  return answer.then(
    ({ status }) => status,
    (error: unknown) => meshError(error)?.code ?? String(error),
  );
}

test.each(CLAIMED)("$name: picks the route by what the request says, and the backend it names", async (door) => {
  const [one, two] = [await noting(), await noting()];
  const mesh = await join([], {
    reviews: {
      endpoints: [
        { address: one.address, labels: { v: "1" } },
        { address: two.address, labels: { v: "2" } },
      ],
      subsets: { v1: { labels: { v: "1" } }, v2: { labels: { v: "2" } } },
      routes: [
        { name: "beta", match: { path: { prefix: "/api" }, headers: { "x-user": { exact: "jason" } } }, to: [{ subset: "v2" }] },
        { name: "gone", match: { path: { prefix: "/v0" } }, respond: { status: 410, body: "gone" } },
        { name: "moved", match: { path: { exact: "/old" } }, redirect: { path: "/new", status: 308 } },
        { name: "rest", to: [{ subset: "v1" }] },
      ],
    },
  });
  expect((await door.send(mesh, "/api/7", { "x-user": "jason" })).status).toBe(good(door));
  expect((await door.send(mesh, "/api/7")).status).toBe(good(door));
  expect([one.seen.length, two.seen.length]).toEqual([1, 1]);
  expect(await door.send(mesh, "/v0")).toMatchObject({ status: 410, body: "gone" });
  expect(await door.send(mesh, "/old")).toMatchObject({ status: 308, headers: { location: expect.stringContaining("/new") } });
});

test.each(CLAIMED)("$name: rewrite and headers, but for node:http, which wrote its own head", async (door) => {
  const server = await noting();
  const mesh = await join([server.address], {
    reviews: {
      routes: [
        {
          name: "all",
          match: { path: { prefix: "/api" } },
          rewrite: { prefix: "/v2" },
          headers: { request: { set: { "x-env": "prod" } }, response: { set: { "x-seen": "yes" } } },
        },
      ],
    },
  });
  const { headers } = await door.send(mesh, "/api/7");
  const [request] = server.seen;
  const changes = { url: request?.url, env: request?.headers["x-env"], seen: headers["x-seen"] };
  expect(changes).toEqual(door === AGENT ? { url: "/api/7", env: undefined, seen: undefined } : { url: "/v2/7", env: "prod", seen: "yes" });
  expect(request?.headers.host).toBe("reviews");
});

test.each(CLAIMED)("$name: a deadline holds until the answer", async (door) => {
  const mesh = await join([(await scripted(null)).address], { reviews: { timeout: "60ms" } });
  expect(await codeOf(door.send(mesh, "/"))).toBe("deadline_exceeded");
  expect(inFlight(mesh)).toBe(0);
});

test.each(CLAIMED)("$name: retries, but for node:http, which is reported once", async (door) => {
  const problems: Problem[] = [];
  const server = await scripted(503, 503, 200);
  const retry = { on: [503], methods: ["GET", "CONNECT"], backoff: { base: 1, max: 1 } };
  const mesh = await join([server.address], { problems, reviews: { retry, outlier: "off" } });
  expect((await door.send(mesh, "/")).status).toBe(door === AGENT ? 503 : good(door));
  expect(server.requests()).toBe(door === AGENT ? 1 : 3);
  await door.send(mesh, "/");
  expect(problems.filter(({ message }) => message.includes("mesh.agent()"))).toHaveLength(door === AGENT ? 1 : 0);
});

test.each(CLAIMED)("$name: fault and fallback, but for node:http", async (door) => {
  const server = await noting();
  const mesh = await join([server.address], {
    reviews: {
      routes: [
        { name: "faulty", match: { path: { exact: "/faulty" } }, fault: { abort: { percent: 100, status: 418 } } },
        {
          name: "fallen",
          match: { path: { exact: "/fallen" } },
          to: [{ service: "empty" }],
          fallback: { on: ["no-endpoint"], respond: { status: 203, body: "instead" } },
        },
      ],
    },
    services: { empty: { endpoints: [] } },
  });
  expect((await door.send(mesh, "/faulty")).status).toBe(door === AGENT ? 200 : 418);
  expect(await codeOf(door.send(mesh, "/fallen"))).toBe(door === AGENT ? "no_endpoint" : 203);
});

test.each(CLAIMED)("$name: mirrors, but for pipes and node:http", async (door) => {
  const [server, shadow] = [await noting(), await noting()];
  const mesh = await join([server.address], {
    reviews: { mirror: { service: "shadow", percent: 100 } },
    services: { shadow: { endpoints: [{ address: shadow.address }] } },
  });
  await door.send(mesh, "/");
  if (isWhole(door)) await expect.poll(() => shadow.seen.length).toBe(1);
  else await pause(50);
  expect([server.seen.length, shadow.seen.length]).toEqual([1, isWhole(door) ? 1 : 0]);
});

test.each(CLAIMED)("$name: limits, breaker and outlier detection", async (door) => {
  const silent = await scripted(null);
  const limited = await join([silent.address], { reviews: { limits: { maxRequests: 1 }, timeout: "200ms" } });
  const first = codeOf(door.send(limited, "/"));
  expect(await codeOf(door.send(limited, "/"))).toBe("overloaded");
  expect(await first).toBe("deadline_exceeded");

  const failing = await scripted(500);
  const broken = await join([failing.address], { reviews: { breaker: { consecutiveFailures: 2 }, outlier: "off" } });
  expect([await codeOf(door.send(broken, "/")), await codeOf(door.send(broken, "/")), await codeOf(door.send(broken, "/"))]).toEqual([
    500,
    500,
    "breaker_open",
  ]);

  const healthy = await scripted(200);
  const ejecting = await join([failing.address, healthy.address], {
    reviews: { outlier: { consecutiveFailures: 1 }, balancer: { policy: "round-robin" } },
  });
  const statuses = [];
  for (let call = 0; call < 6; call++) statuses.push(await codeOf(door.send(ejecting, "/")));
  expect(statuses.filter((status) => status === 500)).toHaveLength(1);
});

const exporter = new InMemorySpanExporter();

beforeEach(() => exporter.reset());
afterEach(() => {
  trace.disable();
  context.disable();
});

function startTracing(): void {
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
}

test.each(CLAIMED)("$name: trace, log and metrics", async (door) => {
  startTracing();
  const lines: Record<string, unknown>[] = [];
  const server = await noting();
  const mesh = await join([server.address], {
    accessLog: { logger: { info: (line: Record<string, unknown>) => void lines.push(line) } } as never,
  });
  await door.send(mesh, "/api/7");
  await expect.poll(() => exporter.getFinishedSpans()).toHaveLength(1);
  const [span] = exporter.getFinishedSpans();
  expect(server.seen[0]?.headers.traceparent).toContain(span?.spanContext().traceId);
  expect(span?.attributes).toMatchObject({ "server.address": "reviews", "network.peer.address": "127.0.0.1" });
  expect(lines).toMatchObject([{ service: "reviews", status: good(door) }]);
  expect(mesh.inspect().counters).toMatchObject([{ service: "reviews" }]);
});

/** The same doors, to a host that no service claims. */
function unclaimed(address: string): Record<string, (mesh: JoinedMesh) => Promise<Answer>> {
  const target = `http://${address}/`;
  return {
    "mesh.request": async (mesh) => {
      const reply = await mesh.request(target);
      return { status: reply.status, headers: reply.headers, body: await reply.text() };
    },
    "mesh.fetch": (mesh) => fromFetch(mesh.fetch(target)),
    "mesh.dispatcher": (mesh) => fromUndici(undici.request(target, { dispatcher: mesh.dispatcher })),
    "mesh.interceptor": (mesh) => fromUndici(undici.request(target, { dispatcher: new Agent().compose(mesh.interceptor()) })),
    "mesh.agent": (mesh) =>
      new Promise((resolve, reject) => {
        http
          .get(target, { agent: mesh.agent() }, (message) => {
            text(message).then((body) => resolve({ status: message.statusCode ?? 0, headers: message.headers as HeaderMap, body }), reject);
          })
          .on("error", reject);
      }),
  };
}

test("unclaimed hosts, by every door: a timeout and a span, and nothing else", async () => {
  startTracing();
  const [silent, failing] = [await scripted(null), await scripted(503)];
  const mesh = await join([], { reviews: { retry: {}, timeout: "1ms" } });
  for (const [name, send] of Object.entries(unclaimed(silent.address))) {
    expect(await codeOf(mesh.with({ timeout: "50ms" }, () => send(mesh))), name).toBe("deadline_exceeded");
  }
  exporter.reset();
  for (const [name, send] of Object.entries(unclaimed(failing.address))) expect((await send(mesh)).status, name).toBe(503);
  expect(failing.requests(), "no retry").toBe(5);
  await expect.poll(() => exporter.getFinishedSpans()).toHaveLength(5);
  expect(mesh.inspect()).toMatchObject({ counters: [] });
});
