import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { currentScope, type InboundRequestContext, type Scope } from "@heddle/core";
import { type Application, type Listener, type ListenOptions, listen } from "@heddle/http";
import express, { type Request, type Response } from "express";
import { afterEach, expect, test } from "vitest";
import { get, rawClient } from "./raw-client.ts";
import { servingMesh, type TestServingMesh } from "./serving-mesh.ts";

const DEADLINE = "x-envoy-expected-rq-timeout-ms";
const open: Listener[] = [];

afterEach(async () => {
  for (const listener of open.splice(0)) {
    listener.destroy();
    await listener.close();
  }
});

async function serve(mesh: TestServingMesh, app: Application, options: ListenOptions = {}): Promise<Listener> {
  const listener = await listen(mesh, app, { host: "127.0.0.1", ...options });
  open.push(listener);
  return listener;
}

function meshOf(message: IncomingMessage): InboundRequestContext {
  return (message as IncomingMessage & { mesh: InboundRequestContext }).mesh;
}

const ok: Application = (_request, response) => response.end("ok");

test("serves a node:http listener on a free port", async () => {
  const mesh = servingMesh();
  const listener = await serve(mesh, ok);
  expect(listener.url).toBe(`http://127.0.0.1:${listener.port}`);
  const reply = await fetch(`${listener.url}/api`);
  expect([reply.status, await reply.text()]).toEqual([200, "ok"]);
  expect(mesh.runs).toBe(1);
});

test("serves an Express app, and learns the route it took", async () => {
  const mesh = servingMesh();
  const app = express();
  const router = express.Router();
  router.get("/:id", (_request, response) => void response.json({ ok: true }));
  app.use("/api", router);
  const listener = await serve(mesh, app);
  expect(await (await fetch(`${listener.url}/api/7`)).json()).toEqual({ ok: true });
  await expect.poll(() => mesh.routes).toEqual(["/api/:id"]);
});

test("rejects with EADDRINUSE where another listens, and leaves nothing registered", async () => {
  const mesh = servingMesh();
  const { port } = await serve(mesh, ok);
  const other = servingMesh();
  await expect(listen(other, ok, { host: "127.0.0.1", port })).rejects.toMatchObject({ code: "EADDRINUSE" });
  expect(other.closings.size).toBe(0);
});

test.each([
  [{ callback: () => {}, listen: () => {} }, "app.callback()"],
  [{ listen: () => {} }, "attach"],
  [{ fetch: "https://reviews" }, "not an application"],
  [{ bindAsync: () => {} }, "gRPC"],
  [null, "not an application"],
])("refuses an application of a kind that is not supported: %o", async (app, why) => {
  await expect(listen(servingMesh(), app as unknown as Application)).rejects.toThrow(why);
});

test("refuses to serve without a service", async () => {
  await expect(listen(servingMesh({ hasService: false }), ok)).rejects.toThrow(TypeError);
});

test("a deadline that is already past is refused with 504 before the application sees the request", async () => {
  const mesh = servingMesh({ policy: { trustHeaders: true } });
  let calls = 0;
  const listener = await serve(mesh, (_request, response) => {
    calls++;
    response.end();
  });
  const reply = await fetch(listener.url, { headers: { [DEADLINE]: "0" } });
  expect([reply.status, reply.headers.get("x-heddle-error"), await reply.text()]).toEqual([504, "deadline_exceeded", ""]);
  expect(calls).toBe(0);
  expect(mesh.outcomes).toMatchObject([{ code: "deadline_exceeded" }]);
});

test("answers 503 until the mesh is ready, also with a body under way, and the connection goes on", async () => {
  const listener = await serve(servingMesh({ isReady: () => false }), ok);
  const client = await rawClient(listener.port);
  client.write("POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: 5\r\n\r\nhello");
  expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 503 .*x-heddle-error: not_ready/s);
  client.clear();
  client.write(get("/livez"));
  expect(await client.until('"ok"')).toMatch(/^HTTP\/1\.1 200/);
  client.socket.destroy();
});

test("calls made in a handler inherit its deadline; what outlives the response does not", async () => {
  const mesh = servingMesh({ policy: { trustHeaders: true } });
  const call = () => currentScope() as Scope;
  const later = Promise.withResolvers<Scope>();
  let inside: number | undefined;
  const listener = await serve(mesh, async (_request, response) => {
    await Promise.resolve();
    inside = call().deadlineAt - mesh.clock.now();
    response.on("close", () => setTimeout(() => setTimeout(() => later.resolve(call()), 1), 1));
    response.end();
  });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await fetch(listener.url, { headers: { [DEADLINE]: "5000", traceparent } });
  expect(inside).toBeGreaterThan(4_000);
  expect(inside).toBeLessThanOrEqual(5_000);
  expect(await later.promise).toMatchObject({ deadlineAt: Number.POSITIVE_INFINITY, inbound: null, trace: { traceparent } });
});

test("listeners of the request keep its scope, also for chunks that come later", async () => {
  const mesh = servingMesh();
  const scopes: unknown[] = [];
  const listener = await serve(mesh, (request, response) => {
    scopes.push(currentScope());
    request.on("data", () => scopes.push(currentScope()));
    request.on("end", () => {
      scopes.push(currentScope());
      response.end("done");
    });
  });
  const client = await rawClient(listener.port);
  client.write("POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: 10\r\n\r\n");
  await expect.poll(() => scopes.length).toBe(1);
  client.write("hello");
  await expect.poll(() => scopes.length).toBe(2);
  client.write("world");
  await client.until("done");
  expect(scopes).toHaveLength(4);
  expect(scopes[0]).not.toBeNull();
  expect(new Set(scopes).size).toBe(1);
  client.socket.destroy();
});

test("listeners of the response keep the scope of the request, also when its caller leaves", async () => {
  const mesh = servingMesh();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const closed = Promise.withResolvers<Scope | null>();
  const listener = await serve(mesh, (_request, response) => {
    response.on("close", () => closed.resolve(currentScope()));
    response.write("first");
  });
  const client = await rawClient(listener.port);
  client.write(get("/", [`traceparent: ${traceparent}`]));
  await client.until("first");
  client.socket.destroy();
  expect(await closed.promise).toMatchObject({ trace: { traceparent } });
});

test("a caller that left while the stack was asked does not reach the application", async () => {
  const { promise: gate, resolve: pass } = Promise.withResolvers<void>();
  const mesh = servingMesh({ gate });
  let calls = 0;
  const listener = await serve(mesh, () => {
    calls++;
  });
  const client = await rawClient(listener.port);
  client.write(get("/"));
  await expect.poll(() => mesh.runs).toBe(1);
  client.socket.destroy();
  await expect.poll(() => connectionsOf(listener)).toBe(0);
  pass();
  await expect.poll(() => mesh.outcomes).toMatchObject([{ name: "AbortError" }]);
  expect(calls).toBe(0);
});

test("the scope survives express.json()", async () => {
  const mesh = servingMesh({ policy: { trustHeaders: true } });
  const app = express();
  app.use(express.json());
  app.post("/", (request: Request, response: Response) => {
    response.json({
      body: request.body,
      hasDeadline: Number.isFinite(currentScope()?.deadlineAt),
      same: currentScope()?.inbound === meshOf(request),
    });
  });
  const listener = await serve(mesh, app);
  const body = JSON.stringify({ text: "x".repeat(90_000) });
  const reply = await fetch(listener.url, { method: "POST", body, headers: { "content-type": "application/json", [DEADLINE]: "5000" } });
  expect(await reply.json()).toMatchObject({ hasDeadline: true, same: true });
});

test("requests on one connection have scopes of their own", async () => {
  const mesh = servingMesh({ policy: { trustHeaders: true } });
  const scopes: (Scope | null)[] = [];
  const deadlines: (number | undefined)[] = [];
  const listener = await serve(mesh, (_request, response) => {
    scopes.push(currentScope());
    deadlines.push(currentScope()?.deadlineAt);
    response.end("done");
  });
  const client = await rawClient(listener.port);
  for (const header of [`${DEADLINE}: 5000`, "x-none: 1"]) {
    client.write(get("/", [header]));
    await client.until("done");
    client.clear();
  }
  expect(scopes[0]).not.toBe(scopes[1]);
  expect(Number.isFinite(deadlines[0])).toBe(true);
  expect(deadlines[1]).toBe(Number.POSITIVE_INFINITY);
  client.socket.destroy();
});

test("a caller that leaves aborts req.mesh.signal, and the exchange counts as broken", async () => {
  const mesh = servingMesh();
  const aborted = Promise.withResolvers<unknown>();
  const called = Promise.withResolvers<void>();
  const listener = await serve(mesh, (request) => {
    const { signal } = meshOf(request);
    signal.addEventListener("abort", () => aborted.resolve(signal.reason));
    called.resolve();
  });
  const client = await rawClient(listener.port);
  client.write(get("/"));
  await called.promise;
  client.socket.destroy();
  expect(await aborted.promise).toMatchObject({ name: "AbortError" });
  await expect.poll(() => mesh.inFlight.count).toBe(0);
  expect(mesh.outcomes).toMatchObject([{ name: "AbortError" }]);
});

test("a caller that leaves in the middle of the body is told to the application and recorded", async () => {
  const mesh = servingMesh();
  let signal: AbortSignal | undefined;
  const listener = await serve(mesh, (request, response) => {
    signal = meshOf(request).signal;
    response.write("first");
  });
  const client = await rawClient(listener.port);
  client.write(get("/"));
  await client.until("first");
  expect(mesh.inFlight.count).toBe(1);
  client.socket.destroy();
  await expect.poll(() => mesh.inFlight.count).toBe(0);
  expect(signal?.aborted).toBe(true);
  expect(mesh.outcomes).toMatchObject([{ name: "AbortError" }]);
});

test("success does not abort the signal", async () => {
  let signal: AbortSignal | undefined;
  const mesh = servingMesh();
  const listener = await serve(mesh, (request, response) => {
    signal = meshOf(request).signal;
    response.end("ok");
  });
  await (await fetch(listener.url)).text();
  await expect.poll(() => mesh.outcomes).toEqual([200]);
  expect(signal?.aborted).toBe(false);
});

test("HEAD has no body and keeps its length", async () => {
  const listener = await serve(servingMesh(), (_request, response) => {
    response.setHeader("content-length", "5");
    response.end("hello");
  });
  const client = await rawClient(listener.port);
  client.write("HEAD / HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n");
  const reply = await client.ended();
  expect(reply).toMatch(/content-length: 5/);
  expect(reply).toMatch(/\r\n\r\n$/);
});

test("HEAD is refused without a body", async () => {
  const listener = await serve(servingMesh({ isReady: () => false }), ok);
  const reply = await fetch(listener.url, { method: "HEAD" });
  expect([reply.status, reply.headers.get("x-heddle-error")]).toEqual([503, "not_ready"]);
});

test("says 100 Continue when the application is called, and not to a request that is refused", async () => {
  let isReady = true;
  const listener = await serve(servingMesh({ isReady: () => isReady }), (request, response) => {
    request.pipe(response);
  });
  const head = "POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n";
  const accepted = await rawClient(listener.port);
  accepted.write(head);
  await accepted.until("100 Continue");
  accepted.write("hello");
  await accepted.until("hello");
  accepted.socket.destroy();
  isReady = false;
  const refused = await rawClient(listener.port);
  refused.write(head);
  expect(await refused.ended()).toMatch(/^HTTP\/1\.1 503/);
});

test("streams a body far larger than any buffer, both ways, under backpressure", async () => {
  const mesh = servingMesh();
  const listener = await serve(mesh, (request, response) => {
    request.pipe(response);
  });
  const chunk = Buffer.alloc(64 * 1024, "x");
  const chunks = 320;
  async function* upload() {
    for (let index = 0; index < chunks; index++) yield chunk;
  }
  const init = { method: "POST", body: ReadableStream.from(upload()), duplex: "half" };
  const reply = await fetch(listener.url, init as RequestInit);
  let received = 0;
  for await (const part of reply.body ?? []) received += part.length;
  expect(received).toBe(chunk.length * chunks);
  await expect.poll(() => mesh.outcomes).toEqual([200]);
});

test("an application that throws answers 500, and its error surfaces as it does in node:http", async () => {
  const mesh = servingMesh();
  const failure = new Error("application");
  const listener = await serve(mesh, (_request, response) => {
    response.setHeader("set-cookie", "secret");
    throw failure;
  });
  const uncaught = catchOnce("uncaughtException");
  const reply = await fetch(listener.url);
  expect([reply.status, reply.headers.get("set-cookie")]).toEqual([500, null]);
  expect(await uncaught).toBe(failure);
  await expect.poll(() => mesh.outcomes).toEqual([500]);
});

test("an application that throws after its head is cut, and counts as failed and not as left by its caller", async () => {
  const mesh = servingMesh();
  const failure = new Error("application");
  const listener = await serve(mesh, (_request, response) => {
    response.write("first");
    throw failure;
  });
  const uncaught = catchOnce("uncaughtException");
  await expect(fetch(listener.url).then((reply) => reply.text())).rejects.toThrow();
  expect(await uncaught).toBe(failure);
  await expect.poll(() => mesh.outcomes).toEqual([failure]);
});

test("an async application that rejects answers 500, and its rejection stays unhandled as in node:http", async () => {
  const mesh = servingMesh();
  const failure = new Error("application");
  const listener = await serve(mesh, async () => {
    throw failure;
  });
  const unhandled = catchOnce("unhandledRejection");
  const reply = await fetch(listener.url);
  expect(reply.status).toBe(500);
  expect(await unhandled).toBe(failure);
  await expect.poll(() => mesh.outcomes).toEqual([500]);
});

test("an async error in Express reaches its error middleware, and the 500 is counted", async () => {
  const mesh = servingMesh();
  const app = express();
  app.get("/", async () => {
    throw new Error("handler");
  });
  app.use((error: Error, _request: Request, response: Response, _next: () => void) => {
    response.status(500).send(error.message);
  });
  const listener = await serve(mesh, app);
  const reply = await fetch(listener.url);
  expect([reply.status, await reply.text()]).toEqual([500, "handler"]);
  await expect.poll(() => mesh.outcomes).toEqual([500]);
});

test("reads an absolute request target as its path and authority", async () => {
  const seen: string[] = [];
  const mesh = servingMesh();
  const { inbound } = mesh;
  const recording = Object.assign(mesh, {
    inbound: (request: Parameters<typeof inbound>[0]) => {
      seen.push(`${request.authority} ${request.path}`);
      return inbound(request);
    },
  });
  const listener = await serve(recording, ok);
  const client = await rawClient(listener.port);
  client.write("GET http://Other:80/a?b HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n");
  await client.ended();
  expect(seen).toEqual(["other:80 /a?b"]);
});

/** Keeps the test runner from seeing an error that is expected. */
async function catchOnce(event: "uncaughtException" | "unhandledRejection"): Promise<unknown> {
  const others = process.listeners(event as "uncaughtException");
  process.removeAllListeners(event);
  try {
    const [error] = await once(process, event);
    return error;
  } finally {
    for (const listener of others) process.on(event, listener);
  }
}

function connectionsOf({ server }: Listener): Promise<number> {
  return new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));
}

test("an application that answers after its caller has left writes into nothing, as in node:http", async () => {
  const left = Promise.withResolvers<Response | import("node:http").ServerResponse>();
  const outcome = Promise.withResolvers<unknown>();
  const listener = await serve(servingMesh(), (_request, response) => {
    left.resolve(response);
    response.on("close", () =>
      setImmediate(() => {
        try {
          response.setHeader("content-type", "text/plain");
          response.writeHead(200);
          response.end("late");
          outcome.resolve({ sent: response.headersSent });
        } catch (error) {
          outcome.resolve(error);
        }
      }),
    );
  });
  const caller = new AbortController();
  const call = fetch(listener.url, { signal: caller.signal }).catch(() => {});
  await left.promise;
  caller.abort();
  await call;
  expect(await outcome.promise).not.toBeInstanceOf(Error);
});

test.each([
  [{ prot: 8080 }, /no option "prot"; did you mean "port"/],
  [{ health: { raedy: "/x" } }, /health: there is no option "raedy"; did you mean "ready"/],
])("a misspelt option is refused, not ignored (%#)", async (options, expected) => {
  await expect(listen(servingMesh(), ok, options as ListenOptions)).rejects.toThrow(expected);
});
