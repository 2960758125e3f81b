import { once } from "node:events";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { type Mesh, meshError } from "@heddle/core";
import undici, { type Dispatcher, WebSocket } from "undici";
import { expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { echo, inFlight, meshOf, serve, servePipes } from "../test/front-doors.ts";
import { MeshDispatcher } from "./dispatcher.ts";

const open = (mesh: Mesh) => undici.upgrade("http://reviews/room", { dispatcher: new MeshDispatcher(mesh), protocol: "echo" });

async function said(socket: Duplex, words: string): Promise<string> {
  const heard = once(socket, "data");
  socket.write(words);
  return String((await heard)[0]);
}

test("an upgrade is routed and balanced, and pipes bytes both ways", async () => {
  const [one, two] = [await servePipes(), await servePipes()];
  const mesh = await meshOf([one.address, two.address], { balancer: { policy: "round-robin" } });
  const pipes = [await open(mesh), await open(mesh)];
  expect([one.open(), two.open()]).toEqual([1, 1]);
  for (const { socket, headers } of pipes) {
    expect(headers.upgrade).toBe("echo");
    expect(await said(socket, "hello")).toBe("hello");
  }
  for (const { socket } of pipes) socket.destroy();
  await expect.poll(() => inFlight(mesh)).toBe(0);
});

test("CONNECT goes to the service that its dispatcher was asked for", async () => {
  const server = await servePipes();
  const mesh = await meshOf([server.address]);
  const { statusCode, socket } = await new MeshDispatcher(mesh).connect({
    origin: "http://reviews",
    path: "example.com:443",
  } as Dispatcher.ConnectOptions);
  expect(statusCode).toBe(200);
  expect(await said(socket, "hello")).toBe("hello");
  expect(inFlight(mesh)).toBe(1);
  socket.end();
  socket.resume();
  await expect.poll(() => inFlight(mesh)).toBe(0);
});

test("is retried until the endpoint has switched, as far as the policy goes", async () => {
  const failing = await serve((_q, response) => void response.writeHead(503).end());
  failing.refuseUpgrades(503);
  const good = await servePipes();
  const mesh = await meshOf([failing.address, good.address], {
    balancer: { policy: "round-robin" },
    retry: { on: [503], backoff: { base: 1, max: 1 } },
  });
  for (let call = 0; call < 3; call++) {
    const { socket } = await open(mesh);
    expect(await said(socket, "hello")).toBe("hello");
    socket.destroy();
  }
});

test("is not retried once the endpoint has switched, and an ordinary answer stays one", async () => {
  const plain = await serve(echo);
  plain.refuseUpgrades(426);
  const mesh = await meshOf([plain.address], { retry: {} });
  const handled: unknown[] = [];
  const { promise: over, resolve } = Promise.withResolvers<void>();
  new MeshDispatcher(mesh).dispatch(
    { origin: "http://reviews", path: "/", method: "GET", upgrade: "echo" },
    {
      onRequestStart() {},
      onRequestUpgrade: () => handled.push("switched"),
      onResponseStart: (_controller, status) => handled.push(status),
      onResponseEnd: () => resolve(),
      onResponseError: (_controller, error) => handled.push(error),
    },
  );
  await over;
  expect(handled).toEqual([426]);
  expect(mesh.inspect().backends[0]?.endpoints[0]?.requests).toBe(1);
});

test("a deadline holds until the switch and not beyond", async () => {
  const server = await servePipes();
  const silent = await serve(echo);
  silent.refuseUpgrades(null);
  const mesh = await meshOf([server.address], { timeout: "80ms" });
  const { socket } = await open(mesh);
  await new Promise((resolve) => setTimeout(resolve, 120));
  expect(await said(socket, "still here")).toBe("still here");
  socket.destroy();
  const slow = await meshOf([silent.address], { timeout: "50ms" });
  const error = await open(slow).catch((reason: unknown) => reason);
  expect(meshError(error)?.code).toBe("deadline_exceeded");
  expect(inFlight(slow)).toBe(0);
});

test("backpressure holds the server back", async () => {
  const server = await servePipes();
  const mesh = await meshOf([server.address]);
  const { socket } = await open(mesh);
  const chunk = Buffer.alloc(1 << 20, "x");
  let isBlocked = false;
  for (let sent = 0; sent < 64 && !isBlocked; sent++) {
    isBlocked =
      !socket.write(chunk) &&
      !(await Promise.race([once(socket, "drain").then(() => true), new Promise((resolve) => setTimeout(resolve, 300))]));
  }
  expect(isBlocked, "nobody reads, so what is echoed fills every buffer").toBe(true);
  socket.destroy();
});

test("limits count pipes: more than maxRequests are refused, more than maxConnections wait", async () => {
  const server = await servePipes();
  const few = await meshOf([server.address], { limits: { maxRequests: 1 } });
  const first = await open(few);
  expect(meshError(await open(few).catch((reason: unknown) => reason))?.code).toBe("overloaded");
  first.socket.destroy();
  const one = await meshOf([server.address], { limits: { maxConnections: 1 } });
  const held = await open(one);
  let isOpen = false;
  const waiting = open(one).then((pipe) => {
    isOpen = true;
    return pipe;
  });
  await said(held.socket, "hello");
  expect(isOpen).toBe(false);
  held.socket.destroy();
  (await waiting).socket.destroy();
});

test("a probe of the breaker is over with the switch", async () => {
  let isFailing = true;
  const server = await servePipes((_q, response) => void response.writeHead(isFailing ? 500 : 200).end());
  const mesh = await meshOf([server.address], { breaker: { consecutiveFailures: 1, openFor: "30ms" }, outlier: "off" });
  const dispatcher = new MeshDispatcher(mesh);
  const get = () => dispatcher.request({ origin: "http://reviews", path: "/", method: "GET" });
  await (await get()).body.dump();
  isFailing = false;
  await new Promise((resolve) => setTimeout(resolve, 60));
  const { socket } = await open(mesh);
  expect((await get()).statusCode).toBe(200);
  socket.destroy();
});

test("closing the mesh waits for pipes until its limit, then cuts them", async () => {
  const server = await servePipes();
  const mesh = await meshOf([server.address]);
  const { socket } = await open(mesh);
  socket.on("error", () => {});
  const closed = mesh.close({ limit: 100 });
  expect(await said(socket, "hello")).toBe("hello");
  await closed;
  expect(socket.destroyed).toBe(true);
});

test("a WebSocket of undici goes through the mesh", async () => {
  const server = await serve(echo);
  const sockets = new WebSocketServer({ server: server.server });
  sockets.on("connection", (socket, message) => {
    socket.send(`${message.headers.host} ${message.url}`);
    socket.on("message", (data) => socket.send(`echo ${data}`));
  });
  const mesh = await meshOf([server.address]);
  const client = new WebSocket("ws://reviews/room", { dispatcher: new MeshDispatcher(mesh) });
  const heard: string[] = [];
  client.addEventListener("message", ({ data }) => heard.push(String(data)));
  await new Promise((resolve, reject) => {
    client.addEventListener("open", resolve);
    client.addEventListener("error", reject);
  });
  client.send("hi");
  await expect.poll(() => heard).toEqual(["reviews /room", "echo hi"]);
  expect(inFlight(mesh)).toBe(1);
  client.close();
  await expect.poll(() => inFlight(mesh)).toBe(0);
});

test("a WebSocket to an endpoint that refuses is told so", async () => {
  const plain = await serve(echo);
  plain.refuseUpgrades(403);
  const client = new WebSocket("ws://reviews/", { dispatcher: new MeshDispatcher(await meshOf([plain.address])) });
  await new Promise((resolve) => client.addEventListener("error", resolve));
  expect(client.readyState).toBe(WebSocket.CLOSED);
});

test("bytes that the server sends with its switch are not lost", async () => {
  const server = await serve(echo);
  server.server.on("upgrade", (_message, socket) => {
    socket.end("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nearly words");
  });
  const { socket } = await open(await meshOf([server.address]));
  expect(await text(socket)).toBe("early words");
});
