import { once } from "node:events";

import type { AddressInfo } from "node:net";
import { context, type Layer, PushBody } from "@heddle/core";
import { meshPlugin } from "@heddle/fastify-adapter";
import { attach, listen, serverFactory } from "@heddle/http";
import busboy from "busboy";
import fastify, { type FastifyInstance, type FastifyServerOptions } from "fastify";
import { afterEach, expect, test } from "vitest";
import { get, rawClient } from "./raw-client.ts";
import { servingMesh, type TestServingMesh } from "./serving-mesh.ts";

const host = "127.0.0.1";
const DEADLINE = "x-envoy-expected-rq-timeout-ms";
const denyAll: Layer = () => async () => ({ status: 403, headers: { "x-denied": "1" }, body: PushBody.of(null) });
const open: FastifyInstance[] = [];

afterEach(async () => {
  for (const app of open.splice(0)) {
    app.server.closeAllConnections();
    await app.close();
  }
});

function newApp(options: FastifyServerOptions = {}): FastifyInstance {
  const app = fastify(options);
  open.push(app);
  return app;
}

async function started(app: FastifyInstance): Promise<number> {
  await app.listen({ host, port: 0 });
  return (app.server.address() as AddressInfo).port;
}

function withRoutes(app: FastifyInstance, mesh: TestServingMesh): FastifyInstance {
  app.get("/api/:id", async (request) => ({ same: request.raw.mesh === context() && context() !== undefined, runs: mesh.runs }));
  return app;
}

interface Combination {
  readonly serve: (mesh: TestServingMesh) => Promise<number>;
  /** Upgrades are seen by the stack. */
  readonly covers: boolean;
}

const combinations: Record<string, Combination> = {
  "the plugin alone": {
    covers: false,
    serve: async (mesh) => {
      const app = newApp();
      await app.register(meshPlugin(mesh));
      return started(withRoutes(app, mesh));
    },
  },
  "the plugin at the root and in a part of the application": {
    covers: false,
    serve: async (mesh) => {
      const app = newApp();
      await app.register(meshPlugin(mesh));
      await app.register(async (part) => {
        await part.register(meshPlugin(mesh));
        withRoutes(part, mesh);
      });
      return started(app);
    },
  },
  "a server factory alone": { covers: true, serve: (mesh) => started(withRoutes(newApp({ serverFactory: serverFactory(mesh) }), mesh)) },
  "a server factory and the plugin": {
    covers: true,
    serve: async (mesh) => {
      const app = newApp({ serverFactory: serverFactory(mesh) });
      await app.register(meshPlugin(mesh));
      return started(withRoutes(app, mesh));
    },
  },
  "listen alone": {
    covers: true,
    serve: async (mesh) => (await listen(mesh, withRoutes(newApp(), mesh), { host })).port,
  },
  "listen, a server factory and the plugin": {
    covers: true,
    serve: async (mesh) => {
      const app = newApp({ serverFactory: serverFactory(mesh) });
      await app.register(meshPlugin(mesh));
      return (await listen(mesh, withRoutes(app, mesh), { host })).port;
    },
  },
  "attach to its server and the plugin": {
    covers: true,
    serve: async (mesh) => {
      const app = newApp();
      attach(mesh, app.server);
      await app.register(meshPlugin(mesh));
      return started(withRoutes(app, mesh));
    },
  },
  "attach to its server after the plugin": {
    covers: true,
    serve: async (mesh) => {
      const app = newApp();
      await app.register(meshPlugin(mesh));
      attach(mesh, app.server);
      return started(withRoutes(app, mesh));
    },
  },
};

test.each(Object.entries(combinations))("the stack runs once per request: %s", async (_name, { serve }) => {
  const mesh = servingMesh();
  const port = await serve(mesh);
  for (let runs = 1; runs <= 3; runs++) {
    const reply = await fetch(`http://${host}:${port}/api/7`);
    expect(await reply.json()).toEqual({ same: true, runs });
  }
  await expect.poll(() => mesh.outcomes).toEqual([200, 200, 200]);
  expect(mesh.inFlight.count).toBe(0);
});

test.each(Object.entries(combinations))("a layer that denies all stops a WebSocket and a CONNECT: %s", async (_name, { serve, covers }) => {
  const mesh = servingMesh({ layers: [denyAll] });
  const port = await serve(mesh);
  const { server } = open.at(-1) as FastifyInstance;
  let calls = 0;
  for (const name of ["upgrade", "connect"]) server.on(name, () => calls++);
  const upgrade = await rawClient(port);
  upgrade.write(get("/room", ["connection: upgrade", "upgrade: websocket"]));
  expect(await upgrade.ended()).toMatch(/^HTTP\/1\.1 403 /);
  const tunnel = await rawClient(port);
  tunnel.write("CONNECT reviews:80 HTTP/1.1\r\nhost: reviews:80\r\n\r\n");
  expect(await tunnel.ended()).toMatch(/^HTTP\/1\.1 403 /);
  expect(calls).toBe(0);
  expect(mesh.runs).toBe(covers ? 2 : 0);
  expect(mesh.problems.map(({ message }) => message.slice(0, 21))).toEqual(
    covers ? [] : ["an upgrade was refuse", "a CONNECT was refused"],
  );
});

test("with the plugin alone and no layers, upgrades go where they went without it", async () => {
  const mesh = servingMesh();
  const app = newApp();
  await app.register(meshPlugin(mesh));
  app.server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  const client = await rawClient(await started(app));
  client.write(get("/", ["connection: upgrade", "upgrade: echo"]));
  expect(await client.ended()).toMatch(/^HTTP\/1\.1 101 /);
});

test("a server factory covers each of the servers that Fastify makes for localhost", async () => {
  const mesh = servingMesh({ layers: [denyAll] });
  const app = withRoutes(newApp({ serverFactory: serverFactory(mesh) }), mesh);
  await app.listen({ host: "localhost", port: 0 });
  for (const { address, port, family } of app.addresses() as AddressInfo[]) {
    const reply = await fetch(`http://${family === "IPv6" ? `[${address}]` : address}:${port}/api/7`);
    expect(reply.status).toBe(403);
  }
  expect(mesh.runs).toBe(app.addresses().length);
});

test("a refusal runs no hook after the plugin's and no handler, but onResponse", async () => {
  const mesh = servingMesh({ layers: [denyAll] });
  const app = newApp();
  const calls: string[] = [];
  app.addHook("onRequest", async () => void calls.push("before"));
  await app.register(meshPlugin(mesh));
  app.addHook("onRequest", async () => void calls.push("after"));
  app.addHook("onSend", async () => void calls.push("onSend"));
  app.addHook("onResponse", async () => void calls.push("onResponse"));
  app.get("/", async () => calls.push("handler"));
  const reply = await fetch(`http://${host}:${await started(app)}/`);
  expect([reply.status, reply.headers.get("x-denied")]).toEqual([403, "1"]);
  await expect.poll(() => calls).toEqual(["before", "onResponse"]);
  expect(mesh.inFlight.count).toBe(0);
});

test("hooks and handler run in the scope of the request, in Fastify's order", async () => {
  const mesh = servingMesh();
  const app = newApp();
  await app.register(meshPlugin(mesh));
  const calls: string[] = [];
  const seen = (name: string, request: { readonly mesh: unknown }) => calls.push(request.mesh === context() ? name : `${name} elsewhere`);
  for (const name of ["onRequest", "preValidation", "preHandler"] as const) app.addHook(name, async (request) => void seen(name, request));
  app.addHook("preParsing", async (request) => void seen("preParsing", request));
  app.addHook("onSend", async (request) => void seen("onSend", request));
  app.post("/", async (request) => {
    seen("handler", request);
    return request.body;
  });
  const reply = await fetch(`http://${host}:${await started(app)}/`, {
    method: "POST",
    body: '{"a":1}',
    headers: { "content-type": "application/json" },
  });
  expect(await reply.json()).toEqual({ a: 1 });
  expect(calls).toEqual(["onRequest", "preParsing", "preValidation", "preHandler", "handler", "onSend"]);
});

test("an error of a handler reaches Fastify's error handler, and the 500 is counted; so is a 404", async () => {
  const mesh = servingMesh();
  const app = newApp();
  await app.register(meshPlugin(mesh));
  app.setErrorHandler((error: Error, _request, reply) => reply.code(500).send(error.message));
  app.get("/fail", async () => {
    throw new Error("handler");
  });
  const url = `http://${host}:${await started(app)}`;
  expect(await (await fetch(`${url}/fail`)).text()).toBe("handler");
  expect((await fetch(`${url}/nothing`)).status).toBe(404);
  await expect.poll(() => mesh.outcomes).toEqual([500, 404]);
  expect(mesh.routes).toEqual(["/fail", ""]);
});

test("the pattern of the route is known, also behind a listener", async () => {
  const mesh = servingMesh();
  const app = newApp();
  await app.register(meshPlugin(mesh));
  app.get("/api/:id", async (request) => request.mesh.route);
  const { url } = await listen(mesh, app, { host });
  expect(await (await fetch(`${url}/api/7`)).text()).toBe("/api/:id");
  await expect.poll(() => mesh.routes).toEqual(["/api/:id"]);
});

test("inject works: no socket is needed", async () => {
  const mesh = servingMesh();
  const app = newApp();
  await app.register(meshPlugin(mesh));
  app.get("/", async (request) => ({ same: request.mesh === context() }));
  expect((await app.inject("/")).json()).toEqual({ same: true });
  expect(mesh.runs).toBe(1);
});

test("the signal aborts when the caller leaves", async () => {
  const mesh = servingMesh();
  const app = newApp();
  await app.register(meshPlugin(mesh));
  const called = Promise.withResolvers<AbortSignal>();
  app.get("/", (request) => {
    called.resolve(request.mesh.signal);
    return new Promise(() => {});
  });
  const client = await rawClient(await started(app));
  client.write(get("/"));
  const signal = await called.promise;
  expect(signal.aborted).toBe(false);
  client.socket.destroy();
  await expect.poll(() => signal.aborted).toBe(true);
  expect(signal.reason).toMatchObject({ name: "AbortError" });
});

test("the signal aborts when the deadline passes", async () => {
  const mesh = servingMesh({ policy: { trustHeaders: true } });
  const app = newApp();
  await app.register(meshPlugin(mesh));
  app.get("/", async (request) => {
    await once(request.mesh.signal, "abort");
    return request.mesh.signal.reason.code;
  });
  const reply = await fetch(`http://${host}:${await started(app)}/`, { headers: { [DEADLINE]: "50" } });
  expect(await reply.text()).toBe("deadline_exceeded");
});

test("the scope survives parsers that read the request as a stream", async () => {
  const mesh = servingMesh();
  const app = newApp();
  await app.register(meshPlugin(mesh));
  const seen: boolean[] = [];
  app.addContentTypeParser("multipart/form-data", (request, payload, done) => {
    const fields: string[] = [];
    const parser = busboy({ headers: request.headers });
    parser.on("field", (name, value) => {
      seen.push(context() === request.mesh);
      fields.push(`${name}=${value}`);
    });
    parser.on("close", () => done(null, fields));
    payload.pipe(parser);
  });
  app.post("/", async (request) => ({ fields: request.body, same: context() === request.mesh }));
  const body = new FormData();
  body.set("a", "1");
  body.set("b", "x".repeat(300_000));
  const reply = await fetch(`http://${host}:${await started(app)}/`, { method: "POST", body });
  const { fields, same } = (await reply.json()) as { fields: string[]; same: boolean };
  expect([fields.length, same, seen]).toEqual([2, true, [true, true]]);
});

test("answers tell of the drain, and closing runs Fastify's hooks once requests are done", async () => {
  const mesh = servingMesh();
  const app = newApp();
  const events: string[] = [];
  const waiting = Promise.withResolvers<void>();
  const called = Promise.withResolvers<void>();
  app.addHook("onListen", async () => void events.push("onListen"));
  app.addHook("onClose", async () => void events.push("onClose"));
  app.get("/", async () => {
    called.resolve();
    await waiting.promise;
    events.push("answered");
    return "ok";
  });
  const { url } = await listen(mesh, app, { host });
  const reply = fetch(url);
  await called.promise;
  const closed = mesh.close();
  waiting.resolve();
  expect([(await reply).status, (await reply).headers.get("x-heddle-draining")]).toEqual([200, "1"]);
  await closed;
  expect(events).toEqual(["onListen", "answered", "onClose"]);
  expect(mesh.closings.size).toBe(0);
});

test("what Fastify closes itself leaves nothing registered", async () => {
  const mesh = servingMesh();
  const app = newApp();
  await app.register(meshPlugin(mesh));
  await listen(mesh, app, { host });
  await app.close();
  expect(app.server.listening).toBe(false);
  expect(mesh.closings.size).toBe(0);
});

test("the factory refuses HTTP/2, passes on Fastify's options, and needs a service", () => {
  const factory = serverFactory(servingMesh());
  expect(() => factory(() => {}, { http2: true })).toThrow("not supported yet");
  const server = factory(() => {}, {
    http: { maxHeaderSize: 9_000 },
    keepAliveTimeout: 1_234,
    requestTimeout: 5_678,
    maxRequestsPerSocket: 9,
  });
  expect(server).toMatchObject({ keepAliveTimeout: 1_234, requestTimeout: 5_678, maxRequestsPerSocket: 9 });

  expect(() => serverFactory(servingMesh({ hasService: false }))).toThrow(TypeError);
  expect(() => meshPlugin(servingMesh({ hasService: false }))).toThrow(TypeError);
});

test.each([
  ["useSemicolonDelimiter", { useSemicolonDelimiter: true }],
  ["routerOptions.useSemicolonDelimiter", { routerOptions: { useSemicolonDelimiter: true } }],
] as readonly (readonly [string, object])[])(
  "an instance that routes /admin;x as /admin is refused, whichever way it is covered (%s)",
  async (_how, options) => {
    const bare = newApp(options as FastifyServerOptions);
    bare.get("/admin", async () => "served");
    expect((await bare.inject("/admin;x")).body).toBe("served");
    const mesh = servingMesh();
    await expect(listen(mesh, newApp(options as FastifyServerOptions) as never, { host })).rejects.toThrow(/useSemicolonDelimiter/);
    expect(() => newApp({ ...options, serverFactory: serverFactory(mesh) as never } as FastifyServerOptions)).toThrow(
      /useSemicolonDelimiter/,
    );
    await expect(async () => newApp(options as FastifyServerOptions).register(meshPlugin(mesh) as never)).rejects.toThrow(
      /useSemicolonDelimiter/,
    );
    await mesh.close();
  },
);
