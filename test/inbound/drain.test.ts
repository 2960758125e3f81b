import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { meshMiddleware } from "@heddle/express-adapter";
import { type Application, attach, listen } from "@heddle/http";
import express, { type Request, type Response } from "express";
import { expect, test } from "vitest";
import { get, rawClient } from "./raw-client.ts";
import { servingMesh } from "./serving-mesh.ts";

const ok: Application = (_request, response) => response.end("ok");
const host = "127.0.0.1";

test("while the mesh drains, requests are served and callers are told to go elsewhere", async () => {
  const mesh = servingMesh();
  const listener = await listen(mesh, ok, { host });
  const before = await fetch(listener.url);
  expect(before.headers.get("x-heddle-draining")).toBeNull();
  mesh.isDraining = true;
  const client = await rawClient(listener.port);
  client.write(get("/"));
  const reply = await client.ended();
  expect(reply).toMatch(/^HTTP\/1\.1 200/);
  expect(reply).toMatch(/x-heddle-draining: 1\r\n/i);
  expect(reply).toMatch(/connection: close\r\n/i);
  await mesh.close();
});

test("a request that came before the drain is told too, if its head is not out", async () => {
  const mesh = servingMesh();
  const waiting = Promise.withResolvers<ServerResponse>();
  const listener = await listen(mesh, (_request, response) => waiting.resolve(response), { host });
  const reply = fetch(listener.url);
  const response = await waiting.promise;
  mesh.isDraining = true;
  response.writeHead(201, { "x-own": "1" });
  response.end();
  const { status, headers } = await reply;
  expect([status, headers.get("x-own"), headers.get("x-heddle-draining"), headers.get("connection")]).toEqual([201, "1", "1", "close"]);
  await mesh.close();
});

test("refusals tell of the drain as well", async () => {
  const mesh = servingMesh({ isReady: () => false });
  const listener = await listen(mesh, ok, { host });
  mesh.isDraining = true;
  const reply = await fetch(listener.url);
  expect([reply.status, reply.headers.get("x-heddle-draining")]).toEqual([503, "1"]);
  await mesh.close();
});

test("closing finishes what is in flight, closes idle connections, and accepts no new one", async () => {
  const mesh = servingMesh();
  const waiting = Promise.withResolvers<ServerResponse>();
  const listener = await listen(mesh, (request, response) => (request.url === "/slow" ? waiting.resolve(response) : response.end("ok")), {
    host,
  });
  const idle = await rawClient(listener.port);
  idle.write(get("/"));
  await idle.until("ok");
  const silent = await rawClient(listener.port);
  const slow = await rawClient(listener.port);
  slow.write(get("/slow"));
  const response = await waiting.promise;
  let isClosed = false;
  const closed = listener.close().then(() => {
    isClosed = true;
  });
  await expect(rawClient(listener.port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  expect(isClosed).toBe(false);
  response.end("slow");
  expect(await slow.ended()).toMatch(/connection: close.*slow/is);
  await closed;
  await Promise.all([idle.ended(), silent.ended()]);
  expect(mesh.closings.size).toBe(0);
});

test("closing waits for a response that was ended but is not sent yet", async () => {
  const mesh = servingMesh();
  const bytes = 32 * 1024 * 1024;
  const ended = Promise.withResolvers<void>();
  const listener = await listen(
    mesh,
    (_request, response) => {
      response.end(Buffer.alloc(bytes));
      ended.resolve();
    },
    { host },
  );
  const client = await rawClient(listener.port);
  client.socket.pause();
  client.write(get("/"));
  await ended.promise;
  const closed = listener.close();
  client.socket.resume();
  const reply = await client.ended();
  expect(reply.length).toBeGreaterThan(bytes);
  await closed;
});

test("a keep-alive connection whose head went out before the drain does not hold closing back", async () => {
  const mesh = servingMesh();
  const waiting = Promise.withResolvers<ServerResponse>();
  const listener = await listen(
    mesh,
    (_request, response) => {
      response.write("first");
      waiting.resolve(response);
    },
    { host },
  );
  const client = await rawClient(listener.port);
  client.write(get("/"));
  await client.until("first");
  const closed = mesh.close();
  (await waiting.promise).end("last");
  expect(await client.ended()).toMatch(/last/);
  await closed;
});

test("destroy cuts what is in flight, upgrades included", async () => {
  const mesh = servingMesh();
  const server = createServer(() => {});
  const attachment = attach(mesh, server);
  server.on("upgrade", (_request, socket) => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  server.listen(0, host);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const upgraded = await rawClient(port);
  upgraded.write(get("/", ["connection: upgrade", "upgrade: echo"]));
  await upgraded.until("101");
  const hanging = await rawClient(port);
  hanging.write(get("/"));
  await expect.poll(() => mesh.inFlight.count).toBe(2);
  const closed = attachment.close();
  attachment.destroy();
  await Promise.all([upgraded.ended(), hanging.ended(), closed]);
  await expect.poll(() => mesh.inFlight.count).toBe(0);
});

test("close is idempotent", async () => {
  const listener = await listen(servingMesh(), ok, { host });
  await Promise.all([listener.close(), listener.close()]);
  await listener.close();
});

test("with the middleware alone, closing waits for what is in flight and leaves the server to its owner", async () => {
  const mesh = servingMesh();
  const waiting = Promise.withResolvers<Response>();
  const app = express();
  app.use(meshMiddleware(mesh));
  app.get("/", (_request: Request, response: Response) => waiting.resolve(response));
  const server = createServer(app).listen(0, host);
  await once(server, "listening");
  const reply = fetch(`http://${host}:${(server.address() as AddressInfo).port}/`);
  const response = await waiting.promise;
  let isClosed = false;
  const closed = mesh.close().then(() => {
    isClosed = true;
  });
  await new Promise(setImmediate);
  expect(isClosed).toBe(false);
  response.end("done");
  expect((await reply).headers.get("x-heddle-draining")).toBe("1");
  await closed;
  expect(server.listening).toBe(true);
  await new Promise((resolve) => server.close(resolve));
});
