import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type Channel, type ChannelSettings, type MeshRequest, type MeshResponse, TransportFailure } from "@heddle/core";
import { expect, test } from "vitest";
import { LiveAuthority, TestClientTls } from "../../packages/http/test/tls.ts";
import { type RawConnection, rawHttp2Peer, TYPE } from "./raw-http2-peer.ts";
import { authority, listening, mutual, openChannel, ours, rawPeer, requestTo } from "./tls-peers.ts";

const http2 = (address: string, settings: Partial<ChannelSettings> = {}) => openChannel({ address, protocol: "http2", ...settings });

async function failureOf(sent: Promise<unknown>): Promise<TransportFailure> {
  const error = await sent.then(
    () => new Error("it did not fail"),
    (reason: unknown) => reason,
  );
  expect(error, String(error)).toBeInstanceOf(TransportFailure);
  return error as TransportFailure;
}

function textOf({ body }: MeshResponse): Promise<string> {
  const chunks: Uint8Array[] = [];
  return new Promise((resolve, reject) =>
    body.attach({ data: (chunk) => void chunks.push(chunk), end: () => resolve(Buffer.concat(chunks).toString()), fail: reject }),
  );
}

const answerOf = async (channel: Channel, request: MeshRequest = requestTo("reviews")) => textOf(await channel.send(request));

test.each([
  [0, "NO_ERROR", "reset"],
  [1, "PROTOCOL_ERROR", "protocol-error"],
  [2, "INTERNAL_ERROR", "reset"],
  [3, "FLOW_CONTROL_ERROR", "protocol-error"],
  [5, "STREAM_CLOSED", "reset"],
  [7, "REFUSED_STREAM", "refused-stream"],
  [8, "CANCEL", "reset"],
  [10, "CONNECT_ERROR", "reset"],
  [11, "ENHANCE_YOUR_CALM", "reset"],
  [13, "HTTP_1_1_REQUIRED", "protocol-error"],
])("a stream reset with %i (%s) before the head is a %s, is written once, and costs no connection", async (code, _name, kind) => {
  const peer = await rawHttp2Peer((connection, stream) =>
    stream === 1 ? connection.reset(stream, code) : connection.answer(stream, "next"),
  );
  const channel = http2(peer.address);
  expect((await failureOf(channel.send(requestTo("reviews")))).kind).toBe(kind);
  expect(peer.requests()).toBe(1);
  expect(await answerOf(channel)).toBe("next");
  expect(peer.connections()).toBe(1);
});

test.each([0, 2, 7, 8])("a stream reset with %i in the middle of a body fails the body, which was not complete", async (code) => {
  const peer = await rawHttp2Peer((connection, stream) => {
    connection.head(stream);
    connection.data(stream, "par");
    connection.reset(stream, code);
  });
  const response = await http2(peer.address).send(requestTo("reviews"));
  expect((await failureOf(textOf(response))).kind).toBe("reset");
});

test("a connection that ends in the middle of a body fails the body", async () => {
  const peer = await rawHttp2Peer((connection, stream) => {
    connection.head(stream);
    connection.data(stream, "par");
    connection.socket.end();
  });
  const response = await http2(peer.address).send(requestTo("reviews"));
  expect((await failureOf(textOf(response))).kind).toBe("reset");
});

test.each([
  ["shorter", 5],
  ["longer", 1],
])("a body %s than its head said is not taken for complete", async (_, length) => {
  const peer = await rawHttp2Peer((connection, stream) => {
    connection.head(stream, length);
    connection.data(stream, "abc", true);
  });
  const failure = await failureOf(http2(peer.address).send(requestTo("reviews")).then(textOf));
  expect(["reset", "protocol-error"]).toContain(failure.kind);
});

test("an answer that does not wait for the whole request is complete, whatever the rest is reset with", async () => {
  const peer = await rawHttp2Peer((connection, stream) => {
    connection.answer(stream, "early");
    connection.reset(stream, 0);
  });
  let isClosed = false;
  async function* endless() {
    try {
      for (;;) {
        yield "more";
        await new Promise(setImmediate);
      }
    } finally {
      isClosed = true;
    }
  }
  expect(await answerOf(http2(peer.address), requestTo("reviews", { method: "POST", body: endless() }))).toBe("early");
  await expect.poll(() => isClosed).toBe(true);
});

test("GOAWAY lets what it has taken finish, and later requests go to another connection", async () => {
  let finish = () => {};
  const peer = await rawHttp2Peer((connection, stream) => {
    if (connection.number > 1) return connection.answer(stream, "second");
    // What was sent before the GOAWAY was there is refused by it: said again of a later stream, it would be a violation (RFC 9113 6.8).
    if (stream > 1) return;
    connection.goaway(stream, 0);
    finish = () => connection.answer(stream, "first");
  });
  const channel = http2(peer.address);
  const first = answerOf(channel);
  await expect.poll(() => peer.requests()).toBe(1);
  // The GOAWAY is under way; nothing sent until it is there is lost either.
  await expect.poll(async () => (await answerOf(channel).catch(() => "")) === "second").toBe(true);
  finish();
  expect(await first).toBe("first");
  await expect.poll(() => channel.connections()).toBe(1);
});

test("what GOAWAY did not look at is a refused stream, and what it did is not", async () => {
  let count = 0;
  const peer = await rawHttp2Peer((connection) => {
    if (++count === 3) connection.goaway(1, 2);
  });
  const channel = http2(peer.address);
  const failures = await Promise.all([0, 1, 2].map(() => failureOf(channel.send(requestTo("reviews")))));
  expect(failures.map(({ kind }) => kind)).toEqual(["reset", "refused-stream", "refused-stream"]);
  expect(failures[0]?.message).toContain("GOAWAY INTERNAL_ERROR");
});

test("a graceful GOAWAY in two steps loses nothing", async () => {
  const peer = await rawHttp2Peer((connection, stream) => {
    if (connection.number > 1 || stream > 5) return connection.answer(stream, "fine");
    if (stream === 5) {
      connection.goaway(2 ** 31 - 1, 0);
      connection.goaway(3, 0);
      connection.answer(1, "fine");
      connection.answer(3, "fine");
    }
    return undefined;
  });
  const channel = http2(peer.address);
  const results = await Promise.allSettled([0, 1, 2].map(() => answerOf(channel)));
  expect(results.map((result) => (result.status === "fulfilled" ? result.value : (result.reason as TransportFailure).kind))).toEqual([
    "fine",
    "fine",
    "refused-stream",
  ]);
});

test("a server that goes away from every connection is not asked for ever", async () => {
  const peer = await rawHttp2Peer(
    () => undefined,
    (connection: RawConnection) => {
      connection.settings(0);
      connection.goaway(0, 0);
      connection.socket.end();
    },
  );
  const failure = await failureOf(http2(peer.address).send(requestTo("reviews")));
  expect(["connect-failure", "refused-stream"]).toContain(failure.kind);
  expect(peer.connections()).toBeLessThanOrEqual(3);
});

test("a server of HTTP/1.1 is said to be one, and nothing of the request was sent to it", async () => {
  const peer = await listening(createHttpServer((_q, response) => void response.end()));
  const request = requestTo("reviews");
  const failure = await failureOf(http2(peer.address).send(request));
  expect([failure.kind, request.attempt?.wasSent]).toEqual(["protocol-error", false]);
  expect(failure.message).toContain("does the server speak HTTP/1.1?");
});

test("a TLS server that does not agree to HTTP/2 is refused", async () => {
  const silent = await listening(createHttpsServer({ ...mutual, ALPNProtocols: [] }, (_q, response) => void response.end()));
  const other = await listening(createHttpsServer({ ...mutual, ALPNProtocols: ["http/1.1"] }, (_q, response) => void response.end()));
  const tls = new TestClientTls(ours);
  for (const { address } of [silent, other]) {
    const failure = await failureOf(http2(address, { tls }).send(requestTo("reviews")));
    expect(failure.kind).toBe("connect-failure");
    expect(failure.message).toMatch(/did not agree to HTTP\/2|no application protocol/);
  }
});

test("a server that stays silent after the connection costs the connect timeout", async () => {
  const peer = await rawPeer((socket) => socket.resume());
  const request = requestTo("reviews");
  const startedAt = performance.now();
  const failure = await failureOf(http2(peer.address, { connectTimeoutMs: 200 }).send(request));
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(199);
  expect([failure.kind, request.attempt?.wasSent]).toEqual(["connect-failure", false]);
  expect(failure.message).toContain("no HTTP/2 settings");
  await expect.poll(() => peer.sockets.size).toBe(0);
});

test("a server that refuses our certificate has been sent nothing of the request", async () => {
  const { createSecureServer } = await import("node:http2");
  const server = createSecureServer({ ...mutual, ca: new LiveAuthority().root.pem });
  const peer = await listening(server as never);
  const request = requestTo("reviews");
  const failure = await failureOf(http2(peer.address, { tls: new TestClientTls(ours) }).send(request));
  expect([failure.kind, request.attempt?.wasSent]).toEqual(["connect-failure", false]);
  expect(failure.message).toContain("how a server refuses a client's certificate: ours is spiffe://shop.test/ns/shop/sa/web");
});

test("a server that refuses us in an alert is said to, and has been sent nothing", async () => {
  const { createSecureServer } = await import("node:http2");
  const peer = await listening(createSecureServer(mutual) as never);
  const request = requestTo("reviews");
  const failure = await failureOf(http2(peer.address, { tls: new TestClientTls({ ca: authority.root.pem }) }).send(request));
  expect([failure.kind, request.attempt?.wasSent]).toEqual(["connect-failure", false]);
  expect(failure.message).toContain("TLS alert certificate required");
});

test("a connection whose peer is gone without a word is cut once a request on it was given up", async () => {
  const peer = await rawHttp2Peer((connection, stream) => {
    if (connection.number > 1) return connection.answer(stream, "alive");
    connection.answersPings = false;
    return undefined;
  });
  const channel = http2(peer.address, { connectTimeoutMs: 500 });
  const [given, other] = [requestTo("reviews"), requestTo("reviews")];
  const failures = [failureOf(channel.send(other)), channel.send(given).catch((reason: unknown) => reason)];
  await expect.poll(() => peer.requests()).toBe(2);
  const reason = new Error("it took too long");
  given.cancel.cancel(reason);
  expect(await failures[1]).toBe(reason);
  expect(await failures[0]).toMatchObject({ kind: "reset", message: expect.stringContaining("no answer to a PING within 1000 ms") });
  expect(await answerOf(channel)).toBe("alive");
});

test("a peer that answers pings keeps its connection, however often requests are given up", async () => {
  const peer = await rawHttp2Peer((connection, stream) => (stream > 10 ? connection.answer(stream, "at last") : undefined));
  const channel = http2(peer.address);
  for (let call = 0; call < 5; call++) {
    const request = requestTo("reviews");
    const sent = channel.send(request).catch((reason: unknown) => reason);
    await expect.poll(() => peer.requests()).toBe(call + 1);
    request.cancel.cancel(new Error("enough"));
    await sent;
  }
  expect(await answerOf(channel)).toBe("at last");
  const [connection] = peer.talks;
  expect(connection?.frames.filter(({ type }) => type === TYPE.ping).length).toBe(1);
  expect(connection?.resets).toEqual([8, 8, 8, 8, 8]);
});
