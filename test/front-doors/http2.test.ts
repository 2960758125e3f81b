import http from "node:http";
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { type Channel, createMesh, emptyHeaders, type HeaderMap, type MeshRequest, type MeshResponse, meshError } from "@heddle/core";
import { httpTransport, MeshAgent, meshRequest } from "@heddle/http";
import { errors } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { REVIEWS, TestClientTls } from "../../packages/http/test/tls.ts";
import { rawHttp2Peer } from "./raw-http2-peer.ts";
import { listening, mutual, openChannel, ours, requestTo, type TlsPeer } from "./tls-peers.ts";

type OnStream = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => unknown;

async function http2Peer(onStream: OnStream, server: Http2Server = createServer()): Promise<TlsPeer> {
  server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on("error", () => {});
    void onStream(stream, headers);
  });
  return listening(server as never);
}

const http2 = (address: string) => openChannel({ address, protocol: "http2" });

function textOf({ body }: MeshResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  return new Promise((resolve, reject) =>
    body.attach({ data: (chunk) => void chunks.push(chunk), end: () => resolve(Buffer.concat(chunks).toString()), fail: reject }),
  );
}

const answerOf = async (channel: Channel, request: MeshRequest = requestTo("reviews")) => textOf(await channel.send(request));

function headers(fields: Record<string, string | string[]>): HeaderMap {
  return Object.assign(emptyHeaders(), fields);
}

const hello: OnStream = (stream) => stream.end("hello");

async function headSeenFor(change: Partial<MeshRequest>): Promise<IncomingHttpHeaders> {
  let seen: IncomingHttpHeaders = {};
  const peer = await http2Peer((stream, head) => {
    seen = head;
    stream.respond({ ":status": 200 }, { endStream: true });
  });
  await answerOf(http2(peer.address), requestTo("reviews.shop:8080", change));
  return seen;
}

test("what is of one connection in HTTP/1.1 is left out, and everything else is sent as it is", async () => {
  const seen = await headSeenFor({
    path: "/a%20b?c=d",
    scheme: "https",
    headers: headers({
      connection: "keep-alive, x-hop",
      host: "elsewhere",
      "keep-alive": "timeout=5",
      "proxy-connection": "close",
      "transfer-encoding": "chunked",
      te: "trailers",
      "x-hop": "gone",
      "x-kept": "1",
      cookie: ["a=1", "b=2"],
    }),
  });
  // Without the symbol by which Node says what is never indexed.
  expect(Object.fromEntries(Object.entries(seen))).toEqual({
    ":method": "GET",
    ":scheme": "https",
    ":authority": "reviews.shop:8080",
    ":path": "/a%20b?c=d",
    te: "trailers",
    "x-kept": "1",
    cookie: "a=1; b=2",
  });
});

test("te says nothing but that trailers are welcome", async () => {
  expect((await headSeenFor({ headers: headers({ te: "gzip, trailers" }) })).te).toBeUndefined();
});

test("the length of a body that is there is told, and a wrong one is the caller's mistake", async () => {
  expect((await headSeenFor({ method: "POST", body: "grüße" }))["content-length"]).toBe("7");
  let requests = 0;
  const peer = await http2Peer((stream) => {
    requests++;
    stream.on("error", () => {}).resume();
  });
  const channel = http2(peer.address);
  const wrong = requestTo("reviews", { method: "POST", body: "abc", headers: headers({ "content-length": "2" }) });
  await expect(channel.send(wrong)).rejects.toBeInstanceOf(errors.RequestContentLengthMismatchError);
  expect([wrong.attempt?.wasSent, requests]).toEqual([false, 0]);
  for (const length of ["2", "4"]) {
    const streamed = requestTo("reviews", { method: "POST", body: three(), headers: headers({ "content-length": length }) });
    await expect(channel.send(streamed)).rejects.toBeInstanceOf(errors.RequestContentLengthMismatchError);
  }
});

test.each([
  ["a path with a line break", { path: "/a\nb" }],
  ["a path with a space", { path: "/a b" }],
  ["no method", { method: "" }],
  ["a method that is no token", { method: "GET /" }],
  ["a header name that is none", { headers: headers({ "x y": "1" }) }],
])("%s is the caller's mistake", async (_, change) => {
  const peer = await http2Peer(hello);
  await expect(http2(peer.address).send(requestTo("reviews", change))).rejects.toBeInstanceOf(TypeError);
});

test("a header that cannot be written is the caller's mistake, and costs the others nothing", async () => {
  const peer = await http2Peer(hello);
  const channel = http2(peer.address);
  const good = answerOf(channel);
  const wrong = requestTo("reviews", { headers: headers({ "x-bad": "line\nbreak" }) });
  await expect(channel.send(wrong)).rejects.toBeInstanceOf(TypeError);
  expect(await good).toBe("hello");
  expect(wrong.attempt?.wasSent).toBe(false);
});

test("informational answers are not the head", async () => {
  const peer = await rawHttp2Peer((connection, stream) => {
    connection.interim(stream, 103);
    connection.answer(stream, "final");
  });
  const response = await http2(peer.address).send(requestTo("reviews"));
  expect([response.status, await textOf(response)]).toEqual([200, "final"]);
});

test("a request that expects 100-continue is sent without waiting for it", async () => {
  const server = createServer((request, response) => void request.pipe(response));
  const peer = await listening(server as never);
  const expecting = requestTo("reviews", { method: "POST", body: "content", headers: headers({ expect: "100-continue" }) });
  expect(await answerOf(http2(peer.address), expecting)).toBe("content");
});

test("HEAD with the length of what GET would give ends", async () => {
  const peer = await rawHttp2Peer((connection, stream) => connection.head(stream, 1_000, true));
  const response = await http2(peer.address).send(requestTo("reviews", { method: "HEAD" }));
  expect([response.headers["content-length"], await textOf(response)]).toEqual(["1000", ""]);
});

test("the server's limit of concurrent streams is kept, and what waits is sent in order, once", async () => {
  let open = 0;
  let most = 0;
  const order: number[] = [];
  const peer = await http2Peer(
    (stream, head) => {
      most = Math.max(most, ++open);
      order.push(Number(head[":path"]?.slice(1)));
      stream.on("close", () => open--);
      setTimeout(() => stream.end("x"), 5);
    },
    createServer({ settings: { maxConcurrentStreams: 3 } }),
  );
  const channel = http2(peer.address);
  const paths = Array.from({ length: 20 }, (_, index) => index);
  const sent = paths.map((path) => requestTo("reviews", { path: `/${path}` }));
  await Promise.all(sent.map((request) => answerOf(channel, request)));
  expect(most).toBeLessThanOrEqual(3);
  expect(order).toEqual(paths);
  expect(peer.connections()).toBe(1);
});

test("a server that allows no stream yet is waited for, and cancelling ends the wait", async () => {
  const peer = await rawHttp2Peer(
    (connection, stream) => connection.answer(stream, "now"),
    (connection) => connection.settings(0),
  );
  const channel = http2(peer.address);
  const [given, waiting] = [requestTo("reviews"), requestTo("reviews")];
  const failure = channel.send(given).catch((reason: unknown) => reason);
  const answer = answerOf(channel, waiting);
  await expect.poll(() => channel.connections()).toBe(1);
  given.cancel.cancel("enough");
  expect(await failure).toBe("enough");
  expect([given.attempt?.wasSent, waiting.attempt?.wasSent]).toEqual([false, false]);
  peer.talks[0]?.settings(10);
  expect(await answer).toBe("now");
  expect(peer.requests()).toBe(1);
});

test("a reader that does not read holds up nobody else on the connection", async () => {
  const large = Buffer.alloc(8 * 1024 * 1024, "x");
  const peer = await http2Peer(
    (stream, head) => void stream.end(head[":path"] === "/large" ? large : "small"),
    createServer({ maxSessionMemory: 100 }),
  );
  const channel = http2(peer.address);
  const unread = await Promise.all([0, 1, 2, 3].map(() => channel.send(requestTo("reviews", { path: "/large" }))));
  for (let call = 0; call < 50; call++) expect(await answerOf(channel)).toBe("small");
  expect(unread.every(({ body }) => !body.hasEnded)).toBe(true);
  expect((await Promise.all(unread.map(textOf))).map(({ length }) => length)).toEqual([0, 1, 2, 3].map(() => large.length));
  expect(peer.connections()).toBe(1);
});

test("32 uploads and downloads at once arrive whole", async () => {
  const peer = await http2Peer((stream) => void stream.pipe(stream));
  const channel = http2(peer.address);
  async function* chunks(letter: string) {
    for (let index = 0; index < 32; index++) yield letter.repeat(16 * 1024);
  }
  const letters = Array.from({ length: 32 }, (_, index) => String.fromCharCode(65 + index));
  const texts = await Promise.all(
    letters.map((letter) => answerOf(channel, requestTo("reviews", { method: "POST", body: chunks(letter) }))),
  );
  expect(texts.map((text) => [text[0], text.length, new Set(text).size])).toEqual(letters.map((letter) => [letter, 512 * 1024, 1]));
  expect(peer.connections()).toBe(1);
});

test("close sends what waits, lets it finish, and leaves no connection", async () => {
  const peer = await http2Peer(
    (stream) => void setTimeout(() => stream.end("done"), 20),
    createServer({ settings: { maxConcurrentStreams: 1 } }),
  );
  const channel = http2(peer.address);
  const answers = Promise.all([0, 1, 2].map(() => answerOf(channel)));
  await channel.close();
  expect(await answers).toEqual(["done", "done", "done"]);
  expect(channel.connections()).toBe(0);
  await expect.poll(() => peer.sockets.size).toBe(0);
});

test("servers that prove the name of a host get a connection for each host", async () => {
  const { createSecureServer } = await import("node:http2");
  const peer = await http2Peer(hello, createSecureServer(mutual) as never);
  const tls = new TestClientTls(ours, REVIEWS, "simple");
  const channel = openChannel({ address: peer.address, protocol: "http2", tls });
  for (const host of ["a.test", "b.test", "a.test"]) expect(await answerOf(channel, requestTo(host))).toBe("hello");
  expect(tls.askedFor).toEqual(["a.test", "b.test"]);
  expect(peer.connections()).toBe(2);
});

test.each([
  ["an upgrade", { headers: headers({ upgrade: "websocket" }) }],
  ["CONNECT", { method: "CONNECT", path: "example.com:443" }],
])("%s is refused with the reason, and sent nowhere", async (what, change) => {
  const peer = await http2Peer(hello);
  const failure = await http2(peer.address)
    .send(requestTo("reviews", change))
    .catch((reason: unknown) => reason);
  expect(meshError(failure)).toMatchObject({ code: "invalid_config" });
  expect(meshError(failure)?.message).toContain(`${what} needs a service with protocol: http1`);
  expect(peer.connections()).toBe(0);
});

async function* three(): AsyncGenerator<string> {
  yield "abc";
}

/** A mesh whose service `reviews` is called in HTTP/2. */
async function http2Mesh(addresses: readonly string[], more: object = {}) {
  const transport = httpTransport();
  const mesh = createMesh({
    config: {
      apiVersion: "heddle/v1",
      services: { reviews: { endpoints: addresses.map((address) => ({ address })), balancer: { policy: "round-robin" }, ...more } },
    },
    transport: { open: (settings) => transport.open({ ...settings, protocol: "http2" }) },
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  await mesh.ready();
  return mesh;
}

test("node:http's client is told that it cannot call a service in HTTP/2", async () => {
  const peer = await http2Peer(hello);
  const agent = new MeshAgent(await http2Mesh([peer.address]));
  const failure = await new Promise((resolve) => http.get("http://reviews/", { agent }, resolve).on("error", resolve));
  expect(meshError(failure)).toMatchObject({ code: "invalid_config" });
  expect(meshError(failure)?.message).toContain("writes HTTP/1.1 alone");
});

test("what a server refused to process is repeated elsewhere, whatever its method", async () => {
  const refusing = await rawHttp2Peer((connection, stream) => connection.reset(stream, 7));
  const leaving = await rawHttp2Peer((connection) => connection.goaway(0, 0));
  const good = await http2Peer(hello);
  for (const bad of [refusing, leaving]) {
    const mesh = await http2Mesh([bad.address, good.address], { outlier: "off" });
    for (let call = 0; call < 4; call++) {
      const reply = await meshRequest(mesh)("http://reviews/", { method: "POST", body: "content" });
      expect(await reply.text()).toBe("hello");
    }
    expect(bad.requests()).toBeGreaterThan(0);
  }
});
