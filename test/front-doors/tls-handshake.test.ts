import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { type ClientTls, MeshError, TransportFailure } from "@heddle/core";
import { expect, test } from "vitest";
import { LiveAuthority, REVIEWS, TestClientTls, WEB } from "../../packages/http/test/tls.ts";
import { authority, httpsPeer, listening, mutual, openChannel, ours, rawPeer, requestTo } from "./tls-peers.ts";

const tls = new TestClientTls(ours);

async function failureOf(address: string, clientTls: ClientTls | null = tls, connectTimeoutMs = 5_000) {
  const channel = openChannel({ address, tls: clientTls, connectTimeoutMs });
  const request = requestTo("reviews");
  const error = await channel.send(request).then(
    () => new Error("it was answered"),
    (reason: unknown) => reason as Error,
  );
  await expect.poll(() => channel.connections()).toBe(0);
  return { error, kind: error instanceof TransportFailure ? error.kind : null, wasSent: request.attempt?.wasSent };
}

test("a server that takes the connection and stays silent costs the connect timeout, and no more", async () => {
  const peer = await rawPeer((socket) => socket.resume());
  const startedAt = performance.now();
  const { error, kind, wasSent } = await failureOf(peer.address, tls, 200);
  const tookMs = performance.now() - startedAt;
  expect(error.message).toBe(`no TLS handshake with ${peer.address} within 200 ms: it took the connection, and the handshake did not end`);
  expect([kind, wasSent]).toEqual(["connect-failure", false]);
  expect(tookMs).toBeGreaterThanOrEqual(199);
  // A busy machine is late; a timeout that began anew with the handshake would be 400.
  expect(tookMs).toBeLessThan(390);
});

test("a handshake that goes on in small steps does not lengthen the timeout", async () => {
  const behind = await listening(createTlsServer(mutual));
  const { port } = behind.server.address() as AddressInfo;
  const { connect } = await import("node:net");
  const peer = await rawPeer((socket) => {
    const onward = connect(port, "127.0.0.1");
    socket.pipe(onward);
    // A byte at a time, each of them activity on the connection.
    onward.on("data", (bytes: Buffer) => {
      onward.pause();
      let at = 0;
      const timer = setInterval(() => {
        if (socket.destroyed || at === bytes.length) clearInterval(timer);
        else socket.write(bytes.subarray(at, ++at));
      }, 20);
    });
    socket.on("close", () => onward.destroy());
  });
  const { error } = await failureOf(peer.address, tls, 300);
  expect(error.message).toContain("no TLS handshake");
});

test("a server that is not who it has to be gets no byte, and the error says who it was", async () => {
  let requests = 0;
  const decrypted: Buffer[] = [];
  const server = createTlsServer({ ...mutual, ...authority.issue("spiffe://shop.test/ns/shop/sa/ratings") }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (bytes: Buffer) => void decrypted.push(bytes));
  });
  server.on("request", () => requests++);
  const peer = await listening(server);
  const { error, kind, wasSent } = await failureOf(peer.address);
  expect(error.message).toBe(`the server is URI:spiffe://shop.test/ns/shop/sa/ratings, expected ${REVIEWS}`);
  expect([kind, wasSent]).toEqual(["connect-failure", false]);
  await expect.poll(() => peer.sockets.size).toBe(0);
  expect(Buffer.concat(decrypted).length).toBe(0);
});

test("a check that throws refuses", async () => {
  const peer = await httpsPeer((_q, response) => void response.end());
  const throwing: ClientTls = {
    key: "throws",
    mode: "mutual",
    connectOptions: (host) => tls.connectOptions(host),
    watch: () => () => null,
    provenUntilMs: () => Number.POSITIVE_INFINITY,
    refusal: () => {
      throw new Error("cannot tell");
    },
  };
  const { error, kind } = await failureOf(peer.address, throwing);
  expect([error.message, kind]).toEqual(["cannot tell", "connect-failure"]);
});

test("without a certificate nothing is connected to, and the caller gets the very error", async () => {
  const peer = await httpsPeer((_q, response) => void response.end());
  const none = new MeshError("no_identity", "no certificate is valid now");
  const { error, wasSent } = await failureOf(peer.address, {
    key: "none",
    mode: "mutual",
    connectOptions: () => {
      throw none;
    },
    refusal: () => null,
    watch: () => () => null,
    provenUntilMs: () => Number.POSITIVE_INFINITY,
  });
  expect(error).toBe(none);
  expect(wasSent).toBe(false);
  expect(peer.connections()).toBe(0);
});

test("a server that speaks plain text is said to", async () => {
  const peer = await listening(createHttpServer((_q, response) => void response.end()));
  const { error, kind } = await failureOf(peer.address);
  expect([kind, error.message]).toEqual([
    "connect-failure",
    "the server answered the TLS handshake with something that is not TLS; does it speak plain text?",
  ]);
});

test("plain text to a server that speaks TLS fails, and the request is not taken for unsent", async () => {
  const peer = await httpsPeer((_q, response) => void response.end());
  const { kind, wasSent } = await failureOf(peer.address, null);
  expect(["reset", "protocol-error"]).toContain(kind);
  expect(wasSent).toBe(true);
});

test("plain text that is answered with an alert of TLS is said to be", async () => {
  const peer = await rawPeer((socket) => socket.once("data", () => socket.end(Buffer.from([0x15, 3, 3, 0, 2, 2, 10]))));
  const { error, kind } = await failureOf(peer.address, null);
  expect([kind, error.message]).toEqual(["protocol-error", "the server answered in TLS; it was called in plain text"]);
});

test("a server that closes before the handshake has ended is said to", async () => {
  const peer = await rawPeer((socket) => socket.once("data", () => socket.destroy()));
  const { error, kind } = await failureOf(peer.address);
  expect([kind, error.message]).toEqual([
    "connect-failure",
    "the server closed the connection during the TLS handshake, as one may that refuses a client's certificate",
  ]);
});

test("a server that refuses our certificate by closing after the handshake is said to, with what we showed", async () => {
  const peer = await httpsPeer((_q, response) => void response.end(), { ...mutual, ca: new LiveAuthority().root.pem });
  const { error, kind, wasSent } = await failureOf(peer.address);
  expect(error.message).toMatch(
    new RegExp(
      `^the server closed the connection right after the TLS handshake, which is how a server refuses a client's certificate: ours is ${WEB}, until 20\\d\\d-[^ ]+Z$`,
    ),
  );
  expect([kind, wasSent]).toEqual(["reset", true]);
});

test("a server that refuses our certificate in an alert has not processed the request, and is named", async () => {
  const peer = await httpsPeer((_q, response) => void response.end());
  const { error, kind } = await failureOf(peer.address, new TestClientTls({ ca: authority.root.pem }));
  expect([kind, error.message]).toEqual([
    "connect-failure",
    "the server refused the certificate of this process (TLS alert certificate required): this process showed none",
  ]);
});

test("a server that offers no version of TLS in common is named as the side that refused", async () => {
  const peer = await listening(createTlsServer({ ...mutual, minVersion: "TLSv1.3" }));
  const { error, kind } = await failureOf(peer.address, new TestClientTls({ ...ours, maxVersion: "TLSv1.2" }));
  expect([kind, error.message]).toEqual(["connect-failure", "the server refused the TLS connection (TLS alert protocol version)"]);
});

test("a server that breaks its first connection much later is not said to have refused a certificate", async () => {
  const peer = await httpsPeer((request) => void setTimeout(() => request.socket.destroy(), 2_100));
  const { error, kind } = await failureOf(peer.address);
  expect(kind).toBe("reset");
  expect(error.message).not.toContain("handshake");
});

test("a kept connection that breaks is not said to be about a certificate", async () => {
  let count = 0;
  const peer = await httpsPeer((request, response) => (++count === 1 ? response.end("one") : request.socket.destroy()));
  const channel = openChannel({ address: peer.address, tls, maxConnections: 1 });
  const first = await channel.send(requestTo("reviews"));
  first.body.attach({ data: () => {}, end: () => {}, fail: () => {} });
  await new Promise<void>((resolve) => first.body.whenEnd(() => resolve()));
  const second = requestTo("reviews");
  const error = (await channel.send(second).catch((reason: unknown) => reason)) as Error;
  expect(second.attempt?.reusedConnection).toBe(true);
  expect(error.message).not.toContain("handshake");
});
