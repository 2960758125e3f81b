import { context } from "@heddle/core";
import { type FetchHandler, type Listener, type ListenOptions, listen } from "@heddle/http";
import { Hono } from "hono";
import { streamSSE } from "hono/streaming";
import Koa from "koa";
import { afterEach, expect, test } from "vitest";
import { get, rawClient } from "./raw-client.ts";
import { servingMesh, type TestServingMesh } from "./serving-mesh.ts";

const open: Listener[] = [];

afterEach(async () => {
  for (const listener of open.splice(0)) {
    listener.destroy();
    await listener.close();
  }
});

async function serve(handler: FetchHandler["fetch"], mesh: TestServingMesh = servingMesh()): Promise<Listener> {
  return serveApp({ fetch: handler }, mesh);
}

async function serveApp(app: FetchHandler, mesh: TestServingMesh, options: ListenOptions = {}): Promise<Listener> {
  const listener = await listen(mesh, app, { host: "127.0.0.1", ...options });
  open.push(listener);
  return listener;
}

test("a handler gets the request as it was sent, and its answer arrives whole", async () => {
  const { url } = await serve(async (request) => {
    const { method, headers } = request;
    const answer = { method, url: request.url, own: headers.get("x-own"), body: await request.text() };
    return Response.json(answer, { status: 201, statusText: "Made", headers: { "x-answer": "1" } });
  });
  const reply = await fetch(`${url}/api/7?a=1&a=2`, { method: "PUT", body: "hello", headers: { "x-own": "äö" } });
  expect([reply.status, reply.statusText, reply.headers.get("x-answer")]).toEqual([201, "Made", "1"]);
  expect(await reply.json()).toEqual({ method: "PUT", url: `${url}/api/7?a=1&a=2`, own: "äö", body: "hello" });
});

test("several cookies stay several", async () => {
  const { url } = await serve(() => {
    const headers = new Headers([
      ["set-cookie", "a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT"],
      ["set-cookie", "b=2"],
      ["vary", "a"],
      ["vary", "b"],
    ]);
    return new Response("ok", { headers });
  });
  const { headers } = await fetch(url);
  expect(headers.getSetCookie()).toEqual(["a=1; Expires=Wed, 01 Jan 2031 00:00:00 GMT", "b=2"]);
  expect(headers.get("vary")).toBe("a, b");
});

test("HEAD gets the headers and no body, and the body is given up", async () => {
  const cancelled = Promise.withResolvers<void>();
  const body = new ReadableStream({ cancel: () => cancelled.resolve() });
  const { url } = await serve(() => new Response(body, { headers: { "x-answer": "1" } }));
  expect((await fetch(url, { method: "HEAD" })).headers.get("x-answer")).toBe("1");
  await cancelled.promise;
});

test("the handler runs in the scope of the request, and so does what it reads", async () => {
  const { url } = await serve(async (request) => {
    const inbound = context();
    for await (const _chunk of request.body ?? []) expect(context()).toBe(inbound);
    return Response.json({ has: inbound !== undefined, same: context() === inbound });
  });
  const reply = await fetch(url, { method: "POST", body: new Uint8Array(300_000) });
  expect(await reply.json()).toEqual({ has: true, same: true });
});

test("a body is read as fast as the handler reads it", async () => {
  const taken = Promise.withResolvers<ReadableStreamDefaultReader<Uint8Array>>();
  const done = Promise.withResolvers<number>();
  const { port } = await serve(async (request) => {
    taken.resolve((request.body as ReadableStream<Uint8Array>).getReader());
    return new Response(String(await done.promise));
  });
  const client = await rawClient(port);
  const bytes = 64 * 1024 * 1024;
  client.write(`POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: ${bytes}\r\n\r\n`);
  client.socket.write(Buffer.alloc(bytes));
  const reader = await taken.promise;
  await reader.read();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(client.socket.writableLength).toBeGreaterThan(bytes / 2);
  let read = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) read += next.value.length;
  expect(read).toBeGreaterThan(bytes / 2);
  done.resolve(read);
  await client.until("200 OK");
  client.socket.destroy();
});

test("a body that is streamed out waits for a slow reader", async () => {
  const chunk = new Uint8Array(1024 * 1024);
  let pulls = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      pulls++;
      controller.enqueue(chunk);
      if (pulls === 64) controller.close();
    },
  });
  const { port } = await serve(() => new Response(body));
  const client = await rawClient(port);
  client.socket.pause();
  client.write(get("/", ["connection: close"]));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(pulls).toBeLessThan(40);
  client.socket.resume();
  expect((await client.ended()).length).toBeGreaterThan(64 * chunk.length);
});

test("the head does not wait for a body that has not begun", async () => {
  const { url } = await serve(() => new Response(new ReadableStream(), { headers: { "x-answer": "1" } }));
  const abort = new AbortController();
  const reply = await fetch(url, { signal: abort.signal });
  expect(reply.headers.get("x-answer")).toBe("1");
  abort.abort();
});

test("when the caller leaves, the request's signal aborts and the body is given up; nothing is reported", async () => {
  const mesh = servingMesh();
  const cancelled = Promise.withResolvers<void>();
  const signals: AbortSignal[] = [];
  const { port } = await serve((request) => {
    signals.push(request.signal);
    return new Response(
      new ReadableStream({ start: (controller) => controller.enqueue(Buffer.from("first")), cancel: () => cancelled.resolve() }),
    );
  }, mesh);
  const client = await rawClient(port);
  client.write(get("/"));
  await client.until("first");
  client.socket.destroy();
  await cancelled.promise;
  await expect.poll(() => signals[0]?.aborted).toBe(true);
  expect(signals[0]?.reason).toMatchObject({ name: "AbortError" });
  expect(mesh.problems).toEqual([]);
});

test("a caller that leaves in the middle of its request fails the reading of it, and nobody is told", async () => {
  const mesh = servingMesh();
  const failed = Promise.withResolvers<unknown>();
  const { port } = await serve(async (request) => {
    await request.text().catch((error: unknown) => {
      failed.resolve(error);
      throw error;
    });
    return new Response();
  }, mesh);
  const client = await rawClient(port);
  client.write("POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: 10\r\n\r\nhello");
  await expect.poll(() => mesh.inFlight.count).toBe(1);
  client.socket.destroy();
  expect(await failed.promise).toBeInstanceOf(Error);
  await expect.poll(() => mesh.inFlight.count).toBe(0);
  expect(mesh.problems).toEqual([]);
});

test("the signal aborts when the deadline passes", async () => {
  const { url } = await serve(
    (request) =>
      new Promise((resolve) => request.signal.addEventListener("abort", () => resolve(new Response(request.signal.reason.code)))),
    servingMesh({ policy: { trustHeaders: true } }),
  );
  const reply = await fetch(url, { headers: { "x-envoy-expected-rq-timeout-ms": "50" } });
  expect(await reply.text()).toBe("deadline_exceeded");
});

test.each<[string, FetchHandler["fetch"]]>([
  [
    "throws",
    () => {
      throw new Error("broken");
    },
  ],
  [
    "rejects",
    async () => {
      throw new Error("broken");
    },
  ],
  ["answers with no Response", () => undefined as unknown as Response],
])("a handler that %s gives its caller 500, and is reported", async (_how, handler) => {
  const mesh = servingMesh();
  const { url } = await serve(handler, mesh);
  expect((await fetch(`${url}/api?secret=1`)).status).toBe(500);
  await expect.poll(() => mesh.outcomes).toEqual([500]);
  expect(mesh.problems).toMatchObject([{ where: "fetch handler", severity: "error" }]);
  expect(mesh.problems[0]?.message).toMatch(/^GET \/api: \w*Error: /);
});

test("a body that breaks cuts the connection, so that half of it is not taken for the whole", async () => {
  const mesh = servingMesh();
  const { url } = await serve(() => {
    let pulls = 0;
    return new Response(
      new ReadableStream({
        pull: (controller) => (pulls++ === 0 ? controller.enqueue(Buffer.from("half")) : controller.error(new Error("broken"))),
      }),
    );
  }, mesh);
  await expect(fetch(url).then((reply) => reply.text())).rejects.toThrow();
  await expect.poll(() => mesh.problems.length).toBe(1);
});

test.each([
  ["GET /admin HTTP/1.1\r\nhost: reviews/public?\r\n\r\n", "an authority that would change the path"],
  ["GET / HTTP/1.1\r\nhost: user@reviews\r\n\r\n", "an authority with a user"],
  ["TRACE / HTTP/1.1\r\nhost: reviews\r\n\r\n", "a method that fetch forbids"],
])("%j is answered 400: %s", async (request) => {
  let calls = 0;
  const { port } = await serve(() => {
    calls++;
    return new Response();
  });
  const client = await rawClient(port);
  client.write(request);
  expect(await client.until("\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
  expect(calls).toBe(0);
  client.socket.destroy();
});

test("a connection carries the next request when the handler left the body, or a part of it, unread", async () => {
  const { port } = await serve(async (request) => {
    if (request.url.endsWith("/part")) await request.body?.getReader().read();
    return new Response("answered");
  });
  const client = await rawClient(port);
  for (const path of ["/none", "/part", "/none"]) {
    client.write(`POST ${path} HTTP/1.1\r\nhost: reviews\r\ncontent-length: 1000000\r\n\r\n`);
    client.write("x".repeat(1_000_000));
    await client.until("answered");
    client.clear();
  }
  client.socket.destroy();
});

test("Hono: routes, its error handler, event streams, and the request that it came in with", async () => {
  const mesh = servingMesh();
  const app = new Hono<{ Bindings: { incoming: { readonly mesh: unknown } } }>();
  app.get("/api/:id", (c) => c.json({ id: c.req.param("id"), same: c.env.incoming.mesh === context() }));
  app.post("/form", async (c) => c.json(await c.req.parseBody()));
  app.get("/fail", () => {
    throw new Error("broken");
  });
  app.onError((error, c) => c.text(error.message, 500));
  app.get("/events", (c) =>
    streamSSE(c, async (stream) => {
      for (const data of ["a", "b"]) await stream.writeSSE({ data });
    }),
  );
  const { url } = await serveApp(app, mesh);
  expect(await (await fetch(`${url}/api/7`)).json()).toEqual({ id: "7", same: true });
  const body = new FormData();
  body.set("name", "x");
  expect(await (await fetch(`${url}/form`, { method: "POST", body })).json()).toEqual({ name: "x" });
  expect(await (await fetch(`${url}/fail`)).text()).toBe("broken");
  expect(await (await fetch(`${url}/events`)).text()).toBe("data: a\n\ndata: b\n\n");
  expect(mesh.runs).toBe(4);
  expect(mesh.problems).toEqual([]);
});

test("Koa: its listener is served, in the scope of the request", async () => {
  const mesh = servingMesh();
  const app = new Koa();
  app.use(async (ctx) => {
    await Promise.resolve();
    ctx.body = { same: ctx.req.mesh === context() && context() !== undefined };
  });
  const listener = await listen(mesh, app.callback(), { host: "127.0.0.1" });
  open.push(listener);
  expect(await (await fetch(listener.url)).json()).toEqual({ same: true });
  expect(mesh.runs).toBe(1);
});
