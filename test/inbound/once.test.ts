import { once } from "node:events";
import { createServer, request as httpRequest, type RequestListener, type Server } from "node:http";
import { createServer as createSecureHttp2 } from "node:http2";
import type { AddressInfo } from "node:net";
import { context, type Layer, localResponse } from "@heddle/core";
import { meshMiddleware } from "@heddle/express-adapter";
import { attach, listen } from "@heddle/http";
import express, { type Express, type Request, type Response } from "express";
import { afterEach, expect, test } from "vitest";
import { get, rawClient } from "./raw-client.ts";
import { servingMesh, type TestServingMesh } from "./serving-mesh.ts";

const open: Server[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function start(server: Server): Promise<string> {
  open.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** Express with the middleware at its root and, again, in a router below. */
function appWith(mesh: TestServingMesh): Express {
  const app = express();
  app.use(meshMiddleware(mesh));
  const router = express.Router();
  router.use(meshMiddleware(mesh));
  router.get("/item", (request: Request, response: Response) => {
    response.json({ same: request.mesh === context(), runs: mesh.runs });
  });
  app.use("/api", router);
  return app;
}

const combinations: Record<string, (mesh: TestServingMesh, app: Express) => Promise<string>> = {
  "middleware alone": (_mesh, app) => start(createServer(app)),
  "listen and middleware": async (mesh, app) => {
    const listener = await listen(mesh, app, { host: "127.0.0.1" });
    open.push(listener.server);
    return listener.url;
  },
  "attach and middleware": (mesh, app) => {
    const server = createServer(app);
    attach(mesh, server);
    return start(server);
  },
  "attach twice and middleware": (mesh, app) => {
    const server = createServer(app);
    expect(attach(mesh, server)).toBe(attach(mesh, server));
    return start(server);
  },
  "attach before the application is added": (mesh, app) => {
    const server = createServer();
    attach(mesh, server);
    server.on("request", app);
    return start(server);
  },
  "listen, and attach to its server": async (mesh, app) => {
    const listener = await listen(mesh, app, { host: "127.0.0.1" });
    attach(mesh, listener.server);
    open.push(listener.server);
    return listener.url;
  },
  "a server that hands its requests to another, both attached": (mesh, app) => {
    const inner = createServer(app);
    attach(mesh, inner);
    const outer = createServer((request, response) => inner.emit("request", request, response));
    attach(mesh, outer);
    return start(outer);
  },
};

test.each(Object.entries(combinations))("the stack runs once per request: %s", async (_name, serve) => {
  const mesh = servingMesh();
  const url = await serve(mesh, appWith(mesh));
  for (let requests = 1; requests <= 3; requests++) {
    const reply = await fetch(`${url}/api/item`);
    expect(await reply.json()).toEqual({ same: true, runs: requests });
  }
  await expect.poll(() => mesh.outcomes).toEqual([200, 200, 200]);
  expect(mesh.inFlight.count).toBe(0);
});

test("a refusal reaches no listener of an attached server, whenever it was added", async () => {
  const mesh = servingMesh({ isReady: () => false });
  let calls = 0;
  const listener: RequestListener = (_request, response) => {
    calls++;
    response.end();
  };
  const server = createServer(listener);
  attach(mesh, server);
  server.on("request", listener);
  server.prependListener("request", listener);
  const reply = await fetch(await start(server));
  expect(reply.status).toBe(503);
  expect(calls).toBe(0);
});

test("all listeners of an attached server are called, in their order", async () => {
  const calls: string[] = [];
  const server = createServer((_request, response) => {
    calls.push("second");
    response.end();
  });
  attach(servingMesh(), server);
  server.prependListener("request", () => calls.push("first"));
  await fetch(await start(server));
  expect(calls).toEqual(["first", "second"]);
});

test("the user's own checkContinue decides on 100 Continue, behind the stack", async () => {
  const mesh = servingMesh();
  const server = createServer((_request, response) => response.end("request"));
  attach(mesh, server);
  server.on("checkContinue", (_request, response) => {
    response.statusCode = 413;
    response.end("too large");
  });
  const client = await rawClient(portOf(await start(server)));
  client.write("POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n");
  expect(await client.ended()).toMatch(/^HTTP\/1\.1 413 .*too large$/s);
  expect(mesh.runs).toBe(1);
});

test("a middleware gives the path that came in, not what is left of it below a mount", async () => {
  const mesh = servingMesh();
  const seen: string[] = [];
  const { inbound } = mesh;
  const recording = Object.assign(mesh, {
    inbound: (request: Parameters<typeof inbound>[0]) => {
      seen.push(request.path);
      return inbound(request);
    },
  });
  const app = express();
  app.use("/api", meshMiddleware(recording), (_request: Request, response: Response) => void response.end());
  await fetch(`${await start(createServer(app))}/api/item?x=1`);
  expect(seen).toEqual(["/api/item?x=1"]);
});

test("a middleware alone refuses before the handlers after it", async () => {
  const mesh = servingMesh({ policy: { trustHeaders: true } });
  const url = await start(createServer(appWith(mesh)));
  const reply = await fetch(`${url}/api/item`, { headers: { "x-envoy-expected-rq-timeout-ms": "-1" } });
  expect([reply.status, reply.headers.get("x-heddle-error")]).toEqual([504, "deadline_exceeded"]);
});

test("an async error behind the middleware reaches Express's error middleware, and the 500 is counted", async () => {
  const mesh = servingMesh();
  const app = express();
  app.use(meshMiddleware(mesh));
  app.get("/", async () => {
    throw new Error("handler");
  });
  app.use((error: Error, _request: Request, response: Response, _next: () => void) => {
    response.status(500).send(error.message);
  });
  const reply = await fetch(await start(createServer(app)));
  expect([reply.status, await reply.text()]).toEqual([500, "handler"]);
  await expect.poll(() => mesh.outcomes).toEqual([500]);
});

test("attach refuses what it cannot cover: HTTP/2 servers, and a server of another mesh", () => {
  const server = createServer();
  attach(servingMesh(), server);
  expect(() => attach(servingMesh(), server)).toThrow("another mesh");
  expect(() => attach(servingMesh(), createSecureHttp2() as unknown as Server)).toThrow("not supported yet");
  expect(() => attach(servingMesh({ hasService: false }), createServer())).toThrow(TypeError);
  expect(() => meshMiddleware(servingMesh({ hasService: false }))).toThrow(TypeError);
});

test("an upgrade runs the stack before its listener, and is in flight until its socket closes", async () => {
  const mesh = servingMesh();
  const server = createServer();
  attach(mesh, server);
  const seen: unknown[] = [];
  server.on("upgrade", (request, socket) => {
    seen.push(context() !== undefined && "mesh" in request);
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n");
    socket.pipe(socket);
  });
  const client = await rawClient(portOf(await start(server)));
  client.write(get("/room", ["connection: upgrade", "upgrade: echo"]));
  await client.until("\r\n\r\n");
  client.write("hello");
  await client.until("hello");
  expect([mesh.runs, mesh.inFlight.count, seen]).toEqual([1, 1, [true]]);
  client.socket.end();
  await expect.poll(() => mesh.outcomes).toEqual([101]);
  expect(mesh.inFlight.count).toBe(0);
});

test("an upgrade that the stack refuses reaches no listener", async () => {
  const mesh = servingMesh({ policy: { trustHeaders: true } });
  const server = createServer();
  let calls = 0;
  server.on("upgrade", () => calls++);
  attach(mesh, server);
  const client = await rawClient(portOf(await start(server)));
  client.write(get("/room", ["connection: upgrade", "upgrade: echo", "x-envoy-expected-rq-timeout-ms: 0"]));
  expect(await client.ended()).toMatch(/^HTTP\/1\.1 504 Gateway Timeout\r\n.*x-heddle-error: deadline_exceeded\r\n/s);
  expect(calls).toBe(0);
  expect(mesh.inFlight.count).toBe(0);
});

test("the deadline of an upgrade ends with its answer", async () => {
  const mesh = servingMesh({ policy: { trustHeaders: true } });
  const server = createServer();
  attach(mesh, server);
  const remaining: (number | undefined)[] = [];
  server.on("upgrade", (_request, socket) => {
    const inbound = context();
    remaining.push(inbound?.remainingMs());
    socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n");
    remaining.push(inbound?.remainingMs());
    socket.end();
  });
  const client = await rawClient(portOf(await start(server)));
  client.write(get("/", ["connection: upgrade", "upgrade: echo", "x-envoy-expected-rq-timeout-ms: 5000"]));
  await client.ended();
  expect(remaining[0]).toBeLessThanOrEqual(5_000);
  expect(remaining[1]).toBe(Number.POSITIVE_INFINITY);
});

test("an upgrade that its listener refuses counts with the status it was given", async () => {
  const mesh = servingMesh();
  const server = createServer();
  attach(mesh, server);
  server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"));
  const client = await rawClient(portOf(await start(server)));
  client.write(get("/", ["connection: upgrade", "upgrade: echo"]));
  expect(await client.ended()).toMatch(/^HTTP\/1\.1 401/);
  await expect.poll(() => mesh.outcomes).toEqual([401]);
});

test("a caller that resets before its upgrade is answered ends the exchange, not the process", async () => {
  const mesh = servingMesh();
  const server = createServer();
  attach(mesh, server);
  const called = Promise.withResolvers<void>();
  server.on("upgrade", (_request, socket) => {
    socket.on("error", () => {});
    socket.resume();
    called.resolve();
  });
  const client = await rawClient(portOf(await start(server)));
  client.write(get("/", ["connection: upgrade", "upgrade: echo"]));
  await called.promise;
  client.socket.resetAndDestroy();
  await expect.poll(() => mesh.outcomes).toMatchObject([{ name: "AbortError" }]);
  expect(mesh.inFlight.count).toBe(0);
});

test("CONNECT runs the stack before its listener", async () => {
  const mesh = servingMesh();
  const server = createServer();
  attach(mesh, server);
  server.on("connect", (_request, socket) => socket.end("HTTP/1.1 200 Connection Established\r\n\r\n"));
  const url = await start(server);
  const tunnel = httpRequest({ port: portOf(url), host: "127.0.0.1", method: "CONNECT", path: "reviews:80" });
  tunnel.end();
  const [reply, socket] = await once(tunnel, "connect");
  socket.destroy();
  expect(reply.statusCode).toBe(200);
  expect(mesh.runs).toBe(1);
});

test("a caller that resets before the stack has let its upgrade pass harms nobody, and reaches no listener", async () => {
  const { promise: gate, resolve: pass } = Promise.withResolvers<void>();
  const mesh = servingMesh({ gate });
  const server = createServer();
  attach(mesh, server);
  let calls = 0;
  server.on("upgrade", () => calls++);
  const port = portOf(await start(server));
  const connected = once(server, "connection");
  const client = await rawClient(port);
  const [connection] = await connected;
  client.write(get("/", ["connection: upgrade", "upgrade: echo"]));
  await expect.poll(() => mesh.runs).toBe(1);
  const broken = new Promise((resolve) => connection.once("close", resolve));
  connection.resume();
  client.socket.resetAndDestroy();
  await broken;
  pass();
  await expect.poll(() => mesh.outcomes).toMatchObject([{ name: "AbortError" }]);
  expect(calls).toBe(0);
});

test("the pattern of a route stays bounded where routers are mounted on parameters", async () => {
  const mesh = servingMesh();
  const app = express();
  app.use(meshMiddleware(mesh));
  const router = express.Router();
  router.get("/items", (_request: Request, response: Response) => void response.end());
  app.use("/users/:id", router);
  const url = await start(createServer(app));
  for (let user = 0; user < 150; user++) await (await fetch(`${url}/users/${user}/items`)).text();
  await expect.poll(() => mesh.routes.length).toBe(150);
  expect(new Set(mesh.routes).size).toBe(101);
  expect(mesh.routes.at(-1)).toBe("*/items");
});

const denyAll: Layer = () => async () => localResponse(403, "denied", { "x-why": ["one", "two"] });

test.each(Object.entries(combinations))("a layer that denies all stops a request, a WebSocket and a CONNECT: %s", async (name, serve) => {
  const mesh = servingMesh({ layers: [denyAll] });
  const url = await serve(mesh, appWith(mesh));
  const isCovered = name !== "middleware alone";
  const server = open.at(-1) as Server;
  let calls = 0;
  for (const event of ["upgrade", "connect"]) server.on(event, () => calls++);
  const reply = await fetch(`${url}/api/item`);
  expect([reply.status, await reply.text()]).toEqual([403, "denied"]);
  const upgrade = await rawClient(portOf(url));
  upgrade.write(get("/room", ["connection: upgrade", "upgrade: websocket"]));
  const refusal = await upgrade.ended();
  expect(refusal).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
  if (isCovered) expect(refusal).toMatch(/x-why: one\r\nx-why: two\r\n.*\r\n\r\ndenied$/s);
  const tunnel = await rawClient(portOf(url));
  tunnel.write("CONNECT reviews:80 HTTP/1.1\r\nhost: reviews:80\r\n\r\n");
  expect(await tunnel.ended()).toMatch(/^HTTP\/1\.1 403 /);
  expect([calls, mesh.runs, mesh.problems.length]).toEqual([0, isCovered ? 3 : 1, isCovered ? 0 : 2]);
});

test("what the middleware refuses blindly is let through again once a listener covers the server", async () => {
  const mesh = servingMesh({ layers: [(next) => (request) => next(request)] });
  const server = createServer(appWith(mesh));
  const url = await start(server);
  server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  const upgrade = async () => {
    const client = await rawClient(portOf(url));
    client.write(get("/room", ["connection: upgrade", "upgrade: echo"]));
    return (await client.ended()).slice(0, 12);
  };
  await fetch(`${url}/api/item`);
  expect(await upgrade()).toBe("HTTP/1.1 403");
  attach(mesh, server);
  expect(await upgrade()).toBe("HTTP/1.1 101");
});

test("a middleware that is told its server stops a WebSocket that comes before any request", async () => {
  const mesh = servingMesh({ layers: [denyAll] });
  const app = express();
  const server = createServer(app);
  app.use(meshMiddleware(mesh, { server }));
  let upgrades = 0;
  server.on("upgrade", () => upgrades++);
  const client = await rawClient(portOf(await start(server)));
  client.write(get("/room", ["connection: upgrade", "upgrade: websocket"]));
  expect(await client.ended()).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
  expect([upgrades, mesh.problems.length]).toEqual([0, 1]);
});
