import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { meshMiddleware } from "@heddle/express-adapter";
import { meshPlugin } from "@heddle/fastify-adapter";
import { attach, listen, serverFactory } from "@heddle/http";
import express, { type Request, type Response, Router } from "express";
import fastify, { type FastifyInstance } from "fastify";
import { Hono } from "hono";
import { afterEach, describe, expect, test } from "vitest";
import { normalisePath } from "../../packages/core/src/authorization/terms/normalise-path.ts";
import type { Layer } from "../../packages/core/src/layer.ts";
import type { HeaderMap } from "../../packages/core/src/message.ts";
import { get, rawClient } from "./raw-client.ts";
import { servingMesh, type TestServingMesh } from "./serving-mesh.ts";

const host = "127.0.0.1";
const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

const normalise: Layer = (next) => (request) => {
  const normal = normalisePath(request.path, "decode-and-merge-slashes");
  return next(normal.kind === "changed" ? { ...request, path: normal.path } : request);
};

/** Takes away what only the mesh may say, and says it. */
const believeNobody: Layer = (next) => (request) => {
  const headers: HeaderMap = Object.create(null);
  for (const [name, value] of Object.entries(request.headers)) if (!name.startsWith("x-mesh-")) headers[name] = value;
  return next({ ...request, headers: { ...headers, "x-mesh-user": "verified", "x-mesh-roles": ["a", "b"] } });
};

function meshWith(...layers: readonly Layer[]): TestServingMesh {
  const mesh = servingMesh({ layers: layers as readonly never[] });
  closings.push(() => mesh.close());
  return mesh;
}

async function answerOf(port: number, target: string, headers: readonly string[] = []): Promise<string> {
  const client = await rawClient(port);
  client.write(get(target, [...headers, "connection: close"]));
  return client.ended();
}

interface Seen {
  readonly url: string | undefined;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly raw: readonly string[];
  readonly distinct: NodeJS.Dict<string[]>;
}

const seenIn = ({ url, headers, rawHeaders, headersDistinct }: IncomingMessage): Seen => ({
  url,
  headers: { ...headers },
  raw: [...rawHeaders],
  distinct: { ...headersDistinct },
});

async function seenBy(mesh: TestServingMesh, target: string, headers: readonly string[] = []): Promise<Seen> {
  const seen: Seen[] = [];
  const { port } = await listen(mesh, (request, response) => response.end(`${seen.push(seenIn(request))}`), { host });
  await answerOf(port, target, headers);
  const [first] = seen;
  if (!first) throw new Error("the application was not called");
  return first;
}

describe("headers", () => {
  const sent = ["X-Mesh-User: forged", "Set-Cookie: a=1", "X-Other: one", "x-other: two", "X-MESH-ROLES: forged", "__proto__: 1"];

  test("that a layer removed or added are gone or there in every view that Node gives of them", async () => {
    const { headers, raw, distinct } = await seenBy(meshWith(believeNobody), "/", sent);
    expect(headers).toMatchObject({ "x-mesh-user": "verified", "x-mesh-roles": ["a", "b"], "x-other": "one, two", host: "reviews" });
    expect(raw).toEqual([
      ...["host", "reviews", "Set-Cookie", "a=1", "X-Other", "one", "x-other", "two", "__proto__", "1", "connection", "close"],
      ...["x-mesh-user", "verified", "x-mesh-roles", "a", "x-mesh-roles", "b"],
    ]);
    expect(distinct).toMatchObject({ "x-mesh-user": ["verified"], "x-mesh-roles": ["a", "b"], "x-other": ["one", "two"] });
    expect(JSON.stringify([headers, raw, distinct])).not.toContain("forged");
  });

  test("that were looked at before are changed as well", async () => {
    const mesh = meshWith(believeNobody);
    const server = createServer((request, response) => response.end(JSON.stringify(seenIn(request))));
    const { emit } = server;
    server.emit = ((name: string, ...values: unknown[]) => {
      if (name === "request") expect(seenIn(values[0] as IncomingMessage).distinct["x-mesh-user"]).toEqual(["forged"]);
      return Reflect.apply(emit, server, [name, ...values]);
    }) as typeof emit;
    const app = express();
    app.use((request, _response, next) => {
      expect(request.headersDistinct["x-mesh-user"]).toEqual(["forged"]);
      next();
    });
    app.use(meshMiddleware(mesh));
    app.use((request: Request, response: Response) => void response.send(JSON.stringify(seenIn(request))));
    const listening = createServer(app).listen(0, host);
    await once(listening, "listening");
    closings.push(() => new Promise((closed) => listening.close(closed)));
    expect(await answerOf((listening.address() as AddressInfo).port, "/", sent)).not.toContain("forged");
  });

  test("that no layer changed stay the very objects that Node made", async () => {
    const mesh = meshWith(normalise);
    const server = createServer((_request, response) => response.end());
    const before: unknown[] = [];
    const after: unknown[] = [];
    server.on("request", (request) => after.push(request.headers, request.rawHeaders, request.url));
    attach(mesh, server);
    const { emit } = server;
    server.emit = ((name: string, ...values: unknown[]) => {
      const message = values[0] as IncomingMessage;
      if (name === "request") before.push(message.headers, message.rawHeaders, message.url);
      return Reflect.apply(emit, server, [name, ...values]);
    }) as typeof emit;
    server.listen(0, host);
    await once(server, "listening");
    await answerOf((server.address() as AddressInfo).port, "/a?b=%2e");
    expect(after).toHaveLength(3);
    for (const [index, value] of before.entries()) expect(after[index]).toBe(value);
  });
});

describe("behind a listener the application is asked for the path that was let in", () => {
  const answer: RequestListener = (request, response) => response.end(`url ${request.url}.`);

  test.each([
    ["/x/..%2fadmin//users?a=/../b", "/admin/users?a=/../b"],
    ["/a", "/a"],
    ["http://reviews/x/../admin?q", "http://reviews/admin?q"],
    ["http://reviews?/admin", "http://reviews/?/admin"],
    ["http://reviews/admin", "http://reviews/admin"],
  ])("%s is %s", async (target, url) => {
    const { port } = await listen(meshWith(normalise), answer, { host });
    expect(await answerOf(port, target)).toContain(`url ${url}.`);
  });

  test("and of an absolute target by the authority that was let in, whatever Host says", async () => {
    const { port } = await listen(
      meshWith(),
      (request, response) => response.end(`${request.headers.host} ${request.rawHeaders.join()}.`),
      { host },
    );
    const ask = async (head: string) => {
      const client = await rawClient(port);
      client.write(`${head}\r\nconnection: close\r\n\r\n`);
      return client.ended();
    };
    expect(await ask("GET http://Public.example:80/ HTTP/1.1\r\nHost: admin.example")).toMatch(
      /public\.example:80 connection,close,host,public\.example:80\.$/,
    );
    expect(await ask("GET http://public.example/ HTTP/1.1\r\nHost: Public.example")).toMatch(
      /Public\.example Host,Public\.example,connection,close\.$/,
    );
    expect(await ask("GET http://admin@public.example/ HTTP/1.1\r\nHost: public.example")).toMatch(/^HTTP\/1\.1 400 .*invalid_request/s);
  });

  test("by an upgrade, with the headers that were let in", async () => {
    const { port, server } = await listen(meshWith(normalise, believeNobody), answer, { host });
    server.on("upgrade", (request, socket) => {
      socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\n${request.url} ${request.headers["x-mesh-user"]} ${request.rawHeaders.join()}`);
    });
    const said = await (async () => {
      const client = await rawClient(port);
      client.write(get("/x/../chat", ["upgrade: test", "connection: upgrade", "x-mesh-user: forged"]));
      return client.ended();
    })();
    expect(said).toContain("/chat verified");
    expect(said).not.toContain("forged");
  });

  test("in Express, Fastify and fetch handlers, which route by it", async () => {
    const app = express();
    app.get("/admin", (request, response) => void response.send(`express ${request.originalUrl} ${request.get("x-mesh-user")}.`));
    const fast = fastify();
    fast.get("/admin", async (request) => `fastify ${request.originalUrl} ${request.headers["x-mesh-user"]}.`);
    const hono = new Hono();
    hono.get("/admin", (called) => called.text(`fetch ${new URL(called.req.url).pathname} ${called.req.header("x-mesh-user")}.`));
    for (const [name, application] of [["express", app] as const, ["fastify", fast] as const, ["fetch", hono] as const]) {
      const { port } = await listen(meshWith(normalise, believeNobody), application as never, { host });
      expect(await answerOf(port, "/x/%2e%2e//admin", ["x-mesh-user: forged"])).toContain(`${name} /admin verified.`);
    }
    const made = fastify({ serverFactory: serverFactory(meshWith(normalise, believeNobody)) });
    made.get("/admin", async (request) => `made ${request.originalUrl} ${request.headers["x-mesh-user"]}.`);
    await made.listen({ port: 0, host });
    closings.push(() => made.close());
    expect(await answerOf((made.server.address() as AddressInfo).port, "/x/../admin")).toContain("made /admin verified.");
  });
});

describe("with Express's middleware alone", () => {
  async function mountedAt(mount: string): Promise<number> {
    const app = express();
    app.use(mount, meshMiddleware(meshWith(normalise)));
    const nested = Router();
    nested.get("/users", (request, response) => void response.send(`users ${request.originalUrl} ${request.baseUrl} ${request.url}.`));
    app.use("/api/admin", nested);
    app.get("/api", (request, response) => void response.send(`api ${request.originalUrl}.`));
    app.get("/secret", (_request, response) => void response.send("secret."));
    const server = createServer(app).listen(0, host);
    await once(server, "listening");
    closings.push(() => new Promise((closed) => server.close(closed)));
    return (server.address() as AddressInfo).port;
  }

  test("at the root, Express routes by the path that was let in", async () => {
    const port = await mountedAt("/");
    expect(await answerOf(port, "/x/..%2fapi//admin/users?a=1")).toContain("users /api/admin/users?a=1 /api/admin /users?a=1.");
    expect(await answerOf(port, "/api?a=1")).toContain("api /api?a=1.");
  });

  test("below a mount path, Express goes on by it where the mount is the same", async () => {
    const port = await mountedAt("/api");
    expect(await answerOf(port, "/api/x/../admin//users?a=1")).toContain("users /api/admin/users?a=1 /api/admin /users?a=1.");
    expect(await answerOf(port, "/api/admin/users")).toContain("users /api/admin/users /api/admin /users.");
    expect(await answerOf(port, "/api?a=1")).toContain("api /api?a=1.");
  });

  test("what leaves the mount path it was matched by is refused with 400", async () => {
    const port = await mountedAt("/api");
    for (const target of ["/api/../secret", "/api/%2e%2e/secret", "/api/..%2fsecret", "/api/../apiary"]) {
      const answer = await answerOf(port, target);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
      expect(answer).toContain("x-heddle-error: invalid_request");
    }
  });
});

describe("with Fastify's plugin alone", () => {
  async function started(mesh: TestServingMesh): Promise<{ readonly port: number; readonly app: FastifyInstance }> {
    const app = fastify();
    await app.register(meshPlugin(mesh));
    app.get("/*", async (request) => `any ${request.url} ${request.headers["x-mesh-user"]} ${request.raw.rawHeaders.join()}.`);
    await app.listen({ port: 0, host });
    closings.push(() => app.close());
    return { port: (app.server.address() as AddressInfo).port, app };
  }

  test("a path that reads otherwise is refused with 400, as the route is taken already", async () => {
    const { port } = await started(meshWith(normalise));
    const answer = await answerOf(port, "/x/..%2fadmin");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain("x-heddle-error: invalid_request");
    expect(await answerOf(port, "/admin")).toContain("any /admin");
  });

  test("handlers see the headers that were let in", async () => {
    const { port } = await started(meshWith(believeNobody));
    const answer = await answerOf(port, "/", ["x-mesh-user: forged"]);
    expect(answer).toContain("any / verified");
    expect(answer).not.toContain("forged");
  });
});
