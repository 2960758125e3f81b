import { mkdtemp, rm } from "node:fs/promises";
import http, { type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { createMesh, type MeshResponse, meshError } from "@heddle/core";
import { httpTransport, MeshAgent, MeshDispatcher } from "@heddle/http";
import undici, { WebSocket } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { WebSocketServer } from "ws";
import { overTls, REVIEWS, TestClientTls } from "../../packages/http/test/tls.ts";
import { authority, httpsPeer, listening, mutual, openChannel, ours, requestTo } from "./tls-peers.ts";

const greet: RequestListener = (request, response) => void response.end(`hello ${request.headers.host} ${request.url}`);

async function textOf({ body }: MeshResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  return new Promise((resolve, reject) =>
    body.attach({ data: (chunk) => void chunks.push(chunk), end: () => resolve(Buffer.concat(chunks).toString()), fail: reject }),
  );
}

/** A mesh whose service `reviews` is at this address, over TLS. */
async function tlsMesh(address: string, tls = new TestClientTls(ours)) {
  const mesh = createMesh({
    config: { apiVersion: "heddle/v1", services: { reviews: { hosts: ["reviews", "*.reviews.test"], endpoints: [{ address }] } } },
    transport: overTls(httpTransport(), tls),
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  await mesh.ready();
  return mesh;
}

test("32 at once are answered, each connection shakes hands once, and a full handshake", async () => {
  let resumed = 0;
  const server = createHttpsServer(mutual, greet);
  server.on("secureConnection", (socket: TLSSocket) => void (socket.isSessionReused() && resumed++));
  const peer = await listening(server);
  const tls = new TestClientTls(ours);
  const channel = openChannel({ address: peer.address, tls, maxConnections: 8 });
  for (let round = 0; round < 5; round++) {
    const texts = await Promise.all(
      Array.from({ length: 32 }, async (_, index) => textOf(await channel.send(requestTo("reviews", { path: `/${index}` })))),
    );
    expect(texts).toEqual(Array.from({ length: 32 }, (_, index) => `hello reviews /${index}`));
  }
  expect(peer.connections()).toBeLessThanOrEqual(8);
  expect(tls.askedFor.length).toBe(peer.connections());
  // New connections of the same process, whose server gave tickets to the first ones, are not resumed either.
  for (const socket of peer.sockets) socket.destroy();
  await expect.poll(() => channel.connections()).toBe(0);
  await textOf(await channel.send(requestTo("reviews")));
  expect(resumed).toBe(0);
});

test("close and destroy leave no socket", async () => {
  const peer = await httpsPeer(greet);
  const [closed, destroyed] = [0, 1].map(() => openChannel({ address: peer.address, tls: new TestClientTls(ours) }));
  for (const channel of [closed, destroyed]) await textOf((await channel?.send(requestTo("reviews"))) as MeshResponse);
  expect(peer.sockets.size).toBe(2);
  await closed?.close();
  expect(closed?.connections()).toBe(0);
  destroyed?.destroy(new Error("enough"));
  await destroyed?.close();
  await expect.poll(() => peer.sockets.size).toBe(0);
});

test("destroying a channel cuts a handshake that is under way", async () => {
  const { rawPeer } = await import("./tls-peers.ts");
  const peer = await rawPeer((socket) => socket.resume());
  const channel = openChannel({ address: peer.address, tls: new TestClientTls(ours) });
  const failure = channel.send(requestTo("reviews")).catch((reason: unknown) => reason);
  await expect.poll(() => peer.sockets.size).toBe(1);
  channel.destroy(new Error("enough"));
  expect(await failure).toBeInstanceOf(Error);
  await expect.poll(() => peer.sockets.size).toBe(0);
});

test("serves an endpoint on a unix socket over TLS", async () => {
  const folder = await mkdtemp(join(tmpdir(), "heddle-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const peer = await httpsPeer(greet, mutual, join(folder, "s"));
  const channel = openChannel({ address: peer.address, tls: new TestClientTls(ours) });
  expect(await textOf(await channel.send(requestTo("reviews", { path: "/x" })))).toBe("hello reviews /x");
});

test("servers that prove the name of a host serve each host on connections of its own", async () => {
  const seen = new Map<string, Set<number | undefined>>();
  const peer = await httpsPeer((request, response) => {
    const host = `${request.headers.host}`;
    seen.set(host, (seen.get(host) ?? new Set()).add(request.socket.remotePort));
    response.end("x");
  });
  const tls = new TestClientTls(ours, REVIEWS, "simple");
  const channel = openChannel({ address: peer.address, tls, maxConnections: 1 });
  for (const host of ["a.test", "b.test", "a.test", "b.test:81", "b.test"]) await textOf(await channel.send(requestTo(host)));
  expect(tls.askedFor).toEqual(["a.test", "b.test", "b.test:81"]);
  const ports = [...seen.values()].flatMap((set) => [...set]);
  expect([ports.length, new Set(ports).size]).toEqual([3, 3]);
});

test("mutual TLS asks for the SPIFFE ID of a connection, so that hosts share connections", async () => {
  const peer = await httpsPeer((_q, response) => void response.end("x"));
  const tls = new TestClientTls(ours);
  const channel = openChannel({ address: peer.address, tls, maxConnections: 1 });
  for (const host of ["a.test", "b.test"]) await textOf(await channel.send(requestTo(host)));
  expect(tls.askedFor).toEqual(["a.test"]);
  expect(peer.connections()).toBe(1);
});

test("a WebSocket is carried over TLS", async () => {
  const server = createHttpsServer(mutual, greet);
  new WebSocketServer({ server }).on("connection", (socket) => socket.on("message", (data) => socket.send(`${data}!`)));
  const peer = await listening(server);
  const mesh = await tlsMesh(peer.address);
  const socket = new WebSocket("ws://reviews/room", { dispatcher: new MeshDispatcher(mesh) });
  const heard = new Promise((resolve, reject) => {
    socket.addEventListener("error", reject);
    socket.addEventListener("message", ({ data }) => resolve(data));
  });
  socket.addEventListener("open", () => socket.send("hello"));
  expect(await heard).toBe("hello!");
  socket.close();
});

test("an upgrade whose server is somebody else is refused", async () => {
  const server = createHttpsServer({ ...mutual, ...authority.issue("spiffe://shop.test/other") }, greet);
  server.on("upgrade", (_q: IncomingMessage, socket: Duplex) => void socket.end("HTTP/1.1 101 No\r\n\r\n"));
  const mesh = await tlsMesh((await listening(server)).address);
  const failure = await undici.upgrade("http://reviews/", { dispatcher: new MeshDispatcher(mesh) }).catch((reason: unknown) => reason);
  expect(meshError(failure)).toMatchObject({ code: "connect_failed" });
  expect(meshError(failure)?.message).toContain("spiffe://shop.test/other");
});

function get(url: string, agent: http.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent }, (message) => {
      message.setEncoding("utf8");
      let text = "";
      message.on("data", (chunk: string) => {
        text += chunk;
      });
      message.on("end", () => resolve(text));
      message.on("error", reject);
    });
    request.on("error", reject);
  });
}

test("node:http's client calls over TLS with an http:// URL, and keeps its connections", async () => {
  const peer = await httpsPeer(greet);
  const agent = new MeshAgent(await tlsMesh(peer.address));
  for (let call = 0; call < 3; call++) expect(await get(`http://reviews/${call}`, agent)).toBe(`hello reviews /${call}`);
  expect(peer.connections()).toBe(1);
});

test("node:http's client gets each host of a named server on a connection of its own", async () => {
  const peer = await httpsPeer(greet);
  const tls = new TestClientTls(ours, REVIEWS, "simple");
  const agent = new MeshAgent(await tlsMesh(peer.address, tls));
  for (const host of ["a.reviews.test", "b.reviews.test", "a.reviews.test"])
    expect(await get(`http://${host}/`, agent)).toBe(`hello ${host} /`);
  expect(tls.askedFor).toEqual(["a.reviews.test", "b.reviews.test"]);
});

test("node:http's client is told who refused whom", async () => {
  const wrong = await httpsPeer(greet, { ...mutual, ...authority.issue("spiffe://shop.test/other") });
  const refusing = await httpsPeer(greet);
  const refused = await get("http://reviews/", new MeshAgent(await tlsMesh(wrong.address))).catch((reason: unknown) => reason);
  expect(meshError(refused)).toMatchObject({ code: "connect_failed" });
  expect(meshError(refused)?.message).toContain("the server is URI:spiffe://shop.test/other");
  const unknown = new TestClientTls({ ca: authority.root.pem });
  const alerted = await get("http://reviews/", new MeshAgent(await tlsMesh(refusing.address, unknown))).catch((reason: unknown) => reason);
  expect(meshError(alerted)).toMatchObject({ code: "connect_failed" });
  expect(meshError(alerted)?.message).toContain("TLS alert certificate required");
});
