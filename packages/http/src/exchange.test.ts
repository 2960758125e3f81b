import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Attempt, Cancel, type Channel, derive, type MeshRequest, RequestContext, TransportFailure } from "@heddle/core";
import { requestOf } from "@heddle/testing";
import type { Dispatcher } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { Exchange } from "./exchange.ts";
import { readText } from "./read-body.ts";
import { httpTransport } from "./undici-transport.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

interface Peer {
  readonly channel: Channel;
  /** Heads as they came, in order, over all connections. */
  readonly received: string[];
  readonly connections: () => number;
}

/** A server that does with each request head what the test says. */
async function peer(
  answer: (socket: Socket, head: string, count: number) => void,
  maxConnections = 1,
  greet = (_socket: Socket): unknown => undefined,
): Promise<Peer> {
  const received: string[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    greet(socket);
    socket.on("error", () => {});
    socket.on("data", (data) => {
      received.push(data.toString());
      answer(socket, data.toString(), received.length);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const channel = httpTransport().open({
    address: `127.0.0.1:${port}`,
    protocol: "http1",
    tls: null,
    maxConnections,
    connectTimeoutMs: 2_000,
  });
  onTestFinished(() => {
    channel.destroy(new Error("the test is over"));
    server.close();
  });
  return { channel, received, connections: () => connections };
}

function request(change: Partial<MeshRequest> = {}): MeshRequest {
  const cancel = new Cancel();
  const context = new RequestContext(0, {}, cancel, null);
  const plain: MeshRequest = {
    method: "GET",
    scheme: "http",
    authority: "reviews",
    path: "/",
    headers: {},
    body: null,
    context,
    cancel,
    attempt: new Attempt(1, 0),
  };
  return derive(plain, change);
}

async function answerOf(channel: Channel, sent: MeshRequest): Promise<string> {
  return readText((await channel.send(sent)).body);
}

test("informational answers before the head are not the head", async () => {
  const { channel } = await peer((socket) => socket.write(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}`));
  const response = await channel.send(request());
  expect(response.status).toBe(200);
  expect(response.headers.link).toBeUndefined();
});

test("a connection that died after an exchange, without a byte of an answer, is a dead reused one", async () => {
  const { channel } = await peer((socket, _head, count) => (count === 1 ? socket.write(OK) : socket.resetAndDestroy()));
  await answerOf(channel, request());
  const second = request();
  await expect(channel.send(second)).rejects.toMatchObject({ kind: "reset" });
  expect(second.attempt).toMatchObject({ wasSent: true, reusedConnection: true });
});

test("a connection that died within the head is not a dead reused one", async () => {
  const { channel } = await peer((socket, _head, count) => (count === 1 ? socket.write(OK) : socket.end("HTTP/1.1 20")));
  await answerOf(channel, request());
  const second = request();
  await expect(channel.send(second)).rejects.toMatchObject({ kind: "reset" });
  expect(second.attempt).toMatchObject({ wasSent: true, reusedConnection: false });
});

test("a connection that died under its first request is not a reused one", async () => {
  const { channel } = await peer((socket) => socket.resetAndDestroy());
  const first = request();
  await expect(channel.send(first)).rejects.toMatchObject({ kind: "reset" });
  expect(first.attempt).toMatchObject({ wasSent: true, reusedConnection: false });
});

test("nothing is sent twice when a connection dies under a request", async () => {
  const { channel, received } = await peer((socket) => socket.destroy());
  await expect(channel.send(request())).rejects.toBeInstanceOf(TransportFailure);
  await expect(channel.send(request({ path: "/second" }))).rejects.toBeInstanceOf(TransportFailure);
  expect(received.map((head) => head.split(" ")[1])).toEqual(["/", "/second"]);
});

test("a streamed body that has given nothing yet has sent nothing", async () => {
  const { channel, received } = await peer(() => {});
  const sent = request({
    method: "POST",
    body: (async function* () {
      await new Promise(() => {});
      yield "never";
    })(),
  });
  const reply = channel.send(sent);
  await expect.poll(() => channel.connections()).toBe(1);
  sent.cancel.cancel(new Error("enough"));
  await expect(reply).rejects.toThrow("enough");
  expect(sent.attempt?.wasSent).toBe(false);
  expect(received).toEqual([]);
});

test("a connection that dies before a streamed body gave anything is no connection", async () => {
  const { channel } = await peer(
    () => {},
    1,
    (socket) => setImmediate(() => socket.resetAndDestroy()),
  );
  const sent = request({
    method: "POST",
    body: (async function* () {
      await expect.poll(() => channel.connections()).toBe(0);
      yield "too late";
    })(),
  });
  await expect(channel.send(sent)).rejects.toMatchObject({ kind: "connect-failure" });
  expect(sent.attempt).toMatchObject({ wasSent: false, reusedConnection: false });
});

test("a request cancelled while it waits takes no connection, and cuts none", async () => {
  const sockets: Socket[] = [];
  const { channel, received, connections } = await peer((socket) => sockets.push(socket));
  const first = channel.send(request({ path: "/first" }));
  const waiting = request({ path: "/waiting" });
  const cancelled = channel.send(waiting);
  const last = channel.send(request({ path: "/last" }));
  await expect.poll(() => sockets.length).toBe(1);
  waiting.cancel.cancel(new Error("enough"));
  await expect(cancelled).rejects.toThrow("enough");
  sockets[0]?.write(OK);
  expect((await first).status).toBe(200);
  await expect.poll(() => sockets.length).toBe(2);
  sockets[1]?.write(OK);
  expect((await last).status).toBe(200);
  expect(received.map((head) => head.split(" ")[1])).toEqual(["/first", "/last"]);
  expect(connections()).toBe(1);
});

test("each request says its own authority, whatever the first one said", async () => {
  const { channel, received } = await peer((socket) => socket.write(OK));
  for (const authority of ["reviews", "ratings:8080", "reviews"])
    await answerOf(channel, request({ authority, headers: { "x-user": "jason" } }));
  expect(received.map((head) => /host: (\S+)/.exec(head)?.[1])).toEqual(["reviews", "ratings:8080", "reviews"]);
  for (const head of received) expect(head).toContain("x-user: jason");
});

test("a body cut short is a reset", async () => {
  const { channel } = await peer((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\npart"));
  const response = await channel.send(request());
  await expect(readText(response.body)).rejects.toMatchObject({ kind: "reset" });
});

test("a chunked body cut short is a reset", async () => {
  const { channel } = await peer((socket) =>
    socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n4\r\npart\r\n"),
  );
  const response = await channel.send(request());
  await expect(readText(response.body)).rejects.toMatchObject({ kind: "reset" });
});

test("a header that cannot be sent is the caller's mistake, and no failure of the endpoint", async () => {
  const { channel, received } = await peer((socket) => socket.write(OK));
  const error = await channel.send(request({ headers: { "x-user": "a\nb" } })).catch((thrown: unknown) => thrown);
  expect(error).not.toBeInstanceOf(TransportFailure);
  expect(String(error)).toContain("x-user");
  expect(received).toEqual([]);
});

test("a resume from within another connection's chunk does not break either", async () => {
  const large = "x".repeat(600_000);
  const { channel } = await peer((socket, head) => {
    if (head.includes("/large")) socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${large.length}\r\n\r\n${large}`);
    else socket.write(OK);
  }, 2);
  const first = await channel.send(request({ path: "/large" }));
  let bytes = 0;
  const done = new Promise<void>((resolve, reject) =>
    first.body.attach({
      data: (chunk) => {
        bytes += chunk.length;
      },
      end: () => resolve(),
      fail: reject,
    }),
  );
  first.body.pause();
  const second = await channel.send(request());
  second.body.attach({ data: () => first.body.resume(), end() {}, fail() {} });
  await done;
  expect(bytes).toBe(large.length);
});

test("an exchange that is over holds nothing of its request, though its connection may still hold it", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const over = () => {
    const request = requestOf();
    const held = [new WeakRef(request.context), new WeakRef(request.attempt as object)];
    const exchange = new Exchange(
      request,
      ({ body }) => held.push(new WeakRef(body)),
      () => {},
    );
    const controller = { abort() {}, pause() {}, resume() {} } as unknown as Dispatcher.DispatchController;
    exchange.onRequestStart(controller);
    exchange.onResponseStart(controller, 200, {});
    exchange.onResponseEnd(controller, null);
    return { exchange, held };
  };
  const { exchange, held } = over();
  await new Promise((resolve) => setTimeout(resolve));
  collect();
  expect(held.map((reference) => reference.deref())).toEqual([undefined, undefined, undefined]);
  expect(exchange.isOver).toBe(true);
});
