import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { localResponse } from "@heddle/core";
import { meshPlugin } from "@heddle/fastify-adapter";
import { attach, listen, serverFactory } from "@heddle/http";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import Koa from "koa";
import { afterEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { context } from "../../packages/core/src/inbound-call.ts";
import { get, rawClient } from "./raw-client.ts";
import { asWeb, type SecureMesh, secureClient, secureMesh, WEB } from "./secure-mesh.ts";

const host = "127.0.0.1";
const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

const caller = () => `<${context()?.peer?.spiffeId ?? "nobody"}>`;

/** Each answers with the peer that the framework's own request has, which is that of the scope, too. */
const servers: Record<string, (mesh: SecureMesh) => Promise<number>> = {
  "mesh.listen(express)": async (mesh) => {
    const app = express();
    app.get("/", (request, response) => void response.send(`${request.mesh.peer?.spiffeId ?? "nobody"} ${caller()}`));
    return (await listen(mesh, app, { host })).port;
  },
  "mesh.listen(fastify)": async (mesh) => {
    const app = fastify();
    await app.register(meshPlugin(mesh));
    app.get("/", async (request) => `${request.mesh.peer?.spiffeId ?? "nobody"} ${caller()}`);
    return (await listen(mesh, app, { host })).port;
  },
  "fastify with the server factory": async (mesh) => {
    const app = fastify({ serverFactory: serverFactory(mesh) });
    app.get("/", async (request) => `${request.raw.mesh.peer?.spiffeId ?? "nobody"} ${caller()}`);
    await app.listen({ host, port: 0 });
    closings.push(() => app.close());
    return (app.server.address() as AddressInfo).port;
  },
  "mesh.listen({ fetch })": async (mesh) => {
    const app = new Hono<{ Bindings: { incoming: { mesh: { peer?: { spiffeId: string } } } } }>();
    app.get("/", (called) => called.text(`${called.env.incoming.mesh.peer?.spiffeId ?? "nobody"} ${caller()}`));
    return (await listen(mesh, app as never, { host })).port;
  },
  "mesh.listen(koa.callback())": async (mesh) => {
    const app = new Koa();
    app.use((called) => {
      called.body = `${called.req.mesh.peer?.spiffeId ?? "nobody"} ${caller()}`;
    });
    return (await listen(mesh, app.callback(), { host })).port;
  },
  "mesh.attach(server)": async (mesh) => {
    const answer: RequestListener = (request, response) => response.end(`${request.mesh.peer?.spiffeId ?? "nobody"} ${caller()}`);
    const server = createServer(answer);
    attach(mesh, server);
    server.listen(0, host);
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  },
};

test.each(Object.entries(servers))("%s tells the application who called, over both kinds of connection", async (_name, serve) => {
  const mesh = secureMesh("permissive");
  closings.push(() => mesh.close());
  const port = await serve(mesh);
  const [secure, plain] = [await secureClient(port), await rawClient(port)];
  for (const [client, who] of [
    [secure, WEB],
    [plain, "nobody"],
  ] as const) {
    client.write(get("/"));
    await client.until(`${who} <${who}>`);
    client.socket.destroy();
  }
  expect(mesh.runs).toBe(2);
});

test("a WebSocket over mutual TLS talks, knows its peer, and holds closing back until it is done", async () => {
  const mesh = secureMesh("strict");
  const { server, port, close } = await listen(mesh, (_request, response) => response.end(), { host });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    socket.on("message", (said) => socket.send(`${request.mesh.peer?.spiffeId} said ${said}`));
  });
  const client = new WebSocket(`wss://${host}:${port}/chat`, asWeb() as never);
  await once(client, "open");
  const heard: string[] = [];
  client.on("message", (said) => heard.push(String(said)));
  client.send("one");
  await once(client, "message");
  const closed = close();
  client.send("x".repeat(1024 * 1024));
  await once(client, "message");
  client.close();
  await closed;
  expect(heard[0]).toBe(`${WEB} said one`);
  expect(heard[1]).toHaveLength(`${WEB} said `.length + 1024 * 1024);
  expect(mesh.outcomes).toEqual([101]);
  await mesh.close();
});

test("an upgrade and a CONNECT that a layer refuses over mutual TLS are told so, and never reach the application", async () => {
  const refuse = () => async () => localResponse(403, "not you", { "x-refused": "1" });
  const mesh = secureMesh("strict", { layers: [refuse] });
  closings.push(() => mesh.close());
  const { server, port } = await listen(mesh, (_request, response) => response.end(), { host });
  let reached = 0;
  for (const name of ["upgrade", "connect"]) server.on(name, () => reached++);
  for (const head of [get("/chat", ["upgrade: websocket", "connection: upgrade"]), "CONNECT db:1 HTTP/1.1\r\nhost: db:1\r\n\r\n"]) {
    const client = await secureClient(port);
    client.write(head);
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 403 .*x-refused: 1.*not you$/s);
  }
  expect(reached).toBe(0);
});
