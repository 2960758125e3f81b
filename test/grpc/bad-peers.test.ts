import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { type Channel, GrpcStatus, MeshError, type MeshRequest, type PushBody, TransportFailure } from "@heddle/core";
import { grpcTransport } from "@heddle/grpc";
import { channelSettingsOf, framed, rpcRequestOf } from "@heddle/testing";
import { afterEach, expect, test } from "vitest";
import { admitFrame, goAwayFrame, greet, type RawCall, type RawPeer, rawPeer } from "./raw-peer.ts";

const HEAD = { ":status": "200", "content-type": "application/grpc" };
const OK = { "grpc-status": "0" };

let peer: RawPeer;
let channel: Channel;

/** Nothing stays behind, whatever the peer did. */
afterEach(async () => {
  await channel.close();
  expect(channel.connections()).toBe(0);
  await until(() => peer.open.size === 0, "the peer's connections to close");
  await peer.close();
});

async function meet(call: (call: RawCall) => void, connected?: (socket: Socket) => boolean, connectTimeoutMs = 2_000): Promise<void> {
  peer = await rawPeer(call, connected);
  channel = grpcTransport().open(channelSettingsOf({ address: peer.address, protocol: "grpc", connectTimeoutMs }));
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let step = 0; step < 1_000 && !isSo(); step++) await sleep(5);
  expect(isSo(), what).toBe(true);
}

interface Broke {
  readonly kind: string;
  readonly grpcStatus: number | null;
  readonly message: string;
}

function asBroke(error: unknown): Broke {
  if (!(error instanceof TransportFailure)) throw error;
  return { kind: error.kind, grpcStatus: error.grpcStatus, message: error.message };
}

async function failure(request: MeshRequest = rpcRequestOf({ body: "hello" })): Promise<Broke> {
  return channel.send(request).then(() => Promise.reject(new Error("it was answered")), asBroke);
}

async function end(body: PushBody): Promise<unknown> {
  await until(() => body.hasEnded, "the end of the body");
  return body.error;
}

async function bodyFailure(request: MeshRequest = rpcRequestOf({ body: "hello" })): Promise<Broke> {
  return asBroke(await end((await channel.send(request)).body));
}

const CODES = [
  ["NO_ERROR", "protocol-error", "INTERNAL"],
  ["PROTOCOL_ERROR", "protocol-error", "INTERNAL"],
  ["INTERNAL_ERROR", "reset", "INTERNAL"],
  ["FLOW_CONTROL_ERROR", "protocol-error", "INTERNAL"],
  ["SETTINGS_TIMEOUT", "reset", "INTERNAL"],
  ["STREAM_CLOSED", "reset", "INTERNAL"],
  ["FRAME_SIZE_ERROR", "protocol-error", "INTERNAL"],
  ["REFUSED_STREAM", "refused-stream", "UNAVAILABLE"],
  ["CANCEL", "reset", "CANCELLED"],
  ["COMPRESSION_ERROR", "protocol-error", "INTERNAL"],
  ["CONNECT_ERROR", "reset", "INTERNAL"],
  ["ENHANCE_YOUR_CALM", "reset", "RESOURCE_EXHAUSTED"],
  ["INADEQUATE_SECURITY", "protocol-error", "PERMISSION_DENIED"],
  ["HTTP_1_1_REQUIRED", "protocol-error", "INTERNAL"],
] as const;

for (const [code, [name, kind, status]] of CODES.entries()) {
  test(`RST_STREAM ${name} before the head is a ${kind} and ${status}`, async () => {
    await meet((call) => call.reset(code));
    expect(await failure()).toMatchObject({ kind, grpcStatus: GrpcStatus[status] });
  });

  const after = kind === "refused-stream" ? "reset" : kind;
  test(`RST_STREAM ${name} after the head is a ${after} and ${status}`, async () => {
    await meet((call) => call.headers(HEAD).data(framed("one")).reset(code));
    expect(await bodyFailure()).toMatchObject({ kind: after, grpcStatus: GrpcStatus[status] });
  });
}

test("a code that no specification has is a reset, and the connection serves the next call", async () => {
  let calls = 0;
  await meet((call) => (++calls === 1 ? call.reset(0x1234) : call.headers(HEAD).headers(OK, true)));
  expect(await failure()).toMatchObject({ kind: "reset", grpcStatus: GrpcStatus.INTERNAL });
  expect(await end((await channel.send(rpcRequestOf())).body)).toBeNull();
  expect(peer.connections).toBe(1);
});

test("a server that goes away lets the call that it has taken finish, and the next one gets another connection", async () => {
  let calls = 0;
  await meet((call) => {
    if (++calls === 1) call.goAway(0, call.stream);
    call.headers(HEAD).data(framed("done")).headers(OK, true);
  });
  for (let call = 0; call < 2; call++) expect(await end((await channel.send(rpcRequestOf())).body)).toBeNull();
  expect(peer.connections).toBe(2);
});

test("a call that a server goes away from without looking at it is refused, so that it may be tried again", async () => {
  await meet((call) => call.goAway(0, 0));
  expect(await failure()).toMatchObject({ kind: "refused-stream", grpcStatus: GrpcStatus.UNAVAILABLE });
});

test("a server that goes away in anger breaks the call that it has", async () => {
  await meet((call) => call.goAway(11, call.stream));
  const broke = await failure();
  expect(broke.kind).toBe("reset");
  expect(broke.message).toContain("GOAWAY ENHANCE_YOUR_CALM");
});

test("a server that goes away from every connection at once is not asked for ever", async () => {
  const goesAway = (socket: Socket) => {
    greet(socket);
    return socket.write(goAwayFrame(0, 0));
  };
  await meet(() => {}, goesAway);
  const { kind } = await failure();
  expect(["connect-failure", "refused-stream"]).toContain(kind);
  expect(peer.connections).toBeLessThanOrEqual(4);
});

test("a server that goes away in the breath in which it greets leaves nobody waiting", async () => {
  let connections = 0;
  await meet(
    (call) => call.headers(HEAD).headers(OK, true),
    (socket) => {
      if (++connections > 1) return greet(socket);
      socket.cork();
      greet(socket);
      socket.write(goAwayFrame(0, 0));
      socket.uncork();
      return true;
    },
  );
  expect(["connect-failure", "refused-stream"]).toContain((await failure()).kind);
  expect(await end((await channel.send(rpcRequestOf())).body)).toBeNull();
});

test("a call for which there was no stream goes to the next connection when the server goes away", async () => {
  let calls = 0;
  await meet(
    (call) => {
      if (++calls === 1) call.headers(HEAD);
      else call.headers(HEAD).headers(OK, true);
    },
    (socket) => socket.write(admitFrame(1)),
  );
  const first = await channel.send(rpcRequestOf());
  const second = channel.send(rpcRequestOf());
  await sleep(20);
  expect(calls).toBe(1);
  for (const socket of peer.open) socket.write(goAwayFrame(0, 1));
  expect(await end((await second).body)).toBeNull();
  expect(peer.connections).toBe(2);
  first.body.abandon(new Error("enough"));
});

test("a call for which no connection ever has a stream is refused after the third", async () => {
  await meet(
    () => {},
    (socket) => {
      setTimeout(() => socket.write(goAwayFrame(0, 0)), 20);
      return socket.write(admitFrame(0));
    },
  );
  expect(await failure()).toMatchObject({ kind: "connect-failure", message: expect.stringContaining("3 connections were closed") });
  expect(peer.connections).toBeLessThanOrEqual(4);
});

test("a server that allows fewer streams from now on is sent no more", async () => {
  const calls: RawCall[] = [];
  await meet((call) => {
    calls.push(call);
    if (calls.length === 1) call.headers(HEAD).raw(admitFrame(1));
    else call.headers(HEAD).headers(OK, true);
  });
  const first = await channel.send(rpcRequestOf());
  await sleep(20);
  const second = rpcRequestOf();
  const answer = channel.send(second);
  await sleep(20);
  expect([calls.length, second.attempt?.wasSent]).toEqual([1, false]);
  calls[0]?.headers(OK, true);
  expect(await end((await answer).body)).toBeNull();
  expect(await end(first.body)).toBeNull();
});

test("a head and a status that come at once are an answer with a head: it has not ended by the time it is there", async () => {
  await meet((call) => {
    call.socket.cork();
    call.headers(HEAD).headers({ "grpc-status": "14" }, true);
    call.socket.uncork();
  });
  const sent = channel.send(rpcRequestOf());
  const { body, hadEnded } = await sent.then((response) => ({ body: response.body, hadEnded: response.body.hasEnded }));
  expect(hadEnded).toBe(false);
  expect([await end(body), body.trailers?.["grpc-status"]]).toEqual([null, "14"]);
});

test("what destroys the channel is what calls in flight end with", async () => {
  await meet((call) => call.headers(HEAD));
  const { body } = await channel.send(rpcRequestOf());
  const reason = new MeshError("closed", "the mesh was closed");
  channel.destroy(reason);
  expect(await end(body)).toBe(reason);
});

test("a storm of GOAWAY loses no call that was looked at, and answers or refuses every other", async () => {
  let answered = 0;
  await meet((call) => {
    answered++;
    call.headers(HEAD).headers(OK, true);
    if (answered % 5 === 0) call.goAway(0, call.stream);
  });
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, async () => {
      const sent = channel.send(rpcRequestOf({ body: "hello" }));
      return sent.then(async ({ body }) => ((await end(body)) === null ? "ok" : "lost"), asBroke);
    }),
  );
  const refused = outcomes.filter((outcome) => typeof outcome === "object");
  expect(outcomes.filter((outcome) => outcome === "lost")).toEqual([]);
  expect(refused.filter(({ kind }) => kind !== "refused-stream" && kind !== "connect-failure")).toEqual([]);
  expect(outcomes.length - refused.length).toBeGreaterThanOrEqual(5);
});

test("a server that answers HTTP/1 is called what it is, and was sent no call", async () => {
  await meet(
    () => {},
    (socket) => {
      socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"));
      return false;
    },
  );
  const request = rpcRequestOf({ body: "hello" });
  const { kind, message } = await failure(request);
  expect(kind).toBe("protocol-error");
  expect(message).toContain("HTTP/1.1");
  expect(request.attempt?.wasSent).toBe(false);
});

test("an answer in HTML is a protocol-error with the status that gRPC has for its own", async () => {
  await meet((call) => call.headers({ ":status": "503", "content-type": "text/html" }).data(Buffer.from("<html>down</html>"), true));
  expect(await failure()).toEqual({
    kind: "protocol-error",
    grpcStatus: GrpcStatus.UNAVAILABLE,
    message: "the answer is not gRPC (HTTP status 503, text/html)",
  });
});

test("a head alone, without a gRPC status, is a protocol-error with the status that gRPC has for its own", async () => {
  await meet((call) => call.headers({ ":status": "404" }, true));
  expect(await failure()).toMatchObject({ kind: "protocol-error", grpcStatus: GrpcStatus.UNIMPLEMENTED });
});

test("an answer that ends without trailers is a protocol-error", async () => {
  await meet((call) => call.headers(HEAD).data(framed("one"), true));
  expect(await bodyFailure()).toMatchObject({ kind: "protocol-error", grpcStatus: GrpcStatus.INTERNAL });
});

test("trailers without a status are a protocol-error", async () => {
  await meet((call) => call.headers(HEAD).headers({ "x-other": "1" }, true));
  expect(await bodyFailure()).toMatchObject({ kind: "protocol-error", grpcStatus: GrpcStatus.UNKNOWN });
});

test("a status that is no number is given as it came", async () => {
  await meet((call) => call.headers({ ...HEAD, "grpc-status": "fine" }, true));
  const { body } = await channel.send(rpcRequestOf());
  expect([body.hasEnded, body.trailers?.["grpc-status"]]).toEqual([true, "fine"]);
});

test("a server that closes its side before the head is a reset", async () => {
  await meet((call) => call.socket.end());
  expect(await failure()).toMatchObject({ kind: "reset", grpcStatus: GrpcStatus.UNAVAILABLE });
});

test("a server that closes its side after the head is a reset", async () => {
  await meet((call) => call.headers(HEAD).data(framed("one")).socket.end());
  expect(await bodyFailure()).toMatchObject({ kind: "reset", grpcStatus: GrpcStatus.UNAVAILABLE });
});

test("a server that takes the connection and stays silent is a connect-failure in time", async () => {
  await meet(
    () => {},
    () => false,
    150,
  );
  const { kind, message } = await failure();
  expect(kind).toBe("connect-failure");
  expect(message).toContain("no HTTP/2 settings");
});

test("bytes that are no frames are a protocol-error", async () => {
  await meet((call) => call.headers(HEAD).raw(Buffer.from([0, 0, 4, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4])));
  expect(await bodyFailure()).toMatchObject({ kind: "protocol-error" });
});

test("a message above the client's limit ends the call, with its size", async () => {
  await meet((call) => call.headers(HEAD).data(framed("x".repeat(2_000))));
  const request = rpcRequestOf();
  request.context.rpc = { kind: "unary", waitForReady: false, client: { "grpc.max_receive_message_length": 1_000 } };
  const broke = await failure(request);
  expect(broke).toMatchObject({ kind: "protocol-error", grpcStatus: GrpcStatus.RESOURCE_EXHAUSTED });
  expect(broke.message).toContain("2000 vs 1000");
});

test("a compressed message that swells above the limit ends the call", async () => {
  const frame = framed(gzipSync(Buffer.alloc(1_000_000)));
  frame[0] = 1;
  await meet((call) =>
    call
      .headers({ ...HEAD, "grpc-encoding": "gzip" })
      .data(frame)
      .headers(OK, true),
  );
  const request = rpcRequestOf();
  request.context.rpc = { kind: "unary", waitForReady: false, client: { "grpc.max_receive_message_length": 10_000 } };
  expect(await failure(request)).toMatchObject({ kind: "protocol-error", grpcStatus: GrpcStatus.RESOURCE_EXHAUSTED });
});

test.each([
  ["message", (call: RawCall) => void call.headers(HEAD).reset(2)],
  [
    "status",
    (call: RawCall) =>
      void call
        .headers(HEAD)
        .data(framed("x".repeat(10_000)))
        .reset(2),
  ],
])("a unary call that is broken off between head and %s has no answer yet, a stream has", async (_name, torn) => {
  const request = rpcRequestOf({ body: "hello" });
  request.context.rpc = { kind: "unary", waitForReady: false, client: null };
  await meet(torn);
  expect(await failure(request)).toMatchObject({ kind: "reset", grpcStatus: GrpcStatus.INTERNAL });
  await meet(torn);
  expect(await bodyFailure()).toMatchObject({ kind: "reset", grpcStatus: GrpcStatus.INTERNAL });
});

test("a unary call whose server sends a head and then only a status has an answer that ends with it", async () => {
  await meet((call) => call.headers(HEAD).headers({ "grpc-status": "14" }, true));
  const request = rpcRequestOf({ body: "hello" });
  request.context.rpc = { kind: "unary", waitForReady: false, client: null };
  const { body } = await channel.send(request);
  expect(body.hasEnded).toBe(false);
  expect(await end(body)).toBeNull();
  expect(body.trailers?.["grpc-status"]).toBe("14");
});

test("a message that says it is compressed and is not ends the call", async () => {
  const frame = framed("not gzip");
  frame[0] = 1;
  await meet((call) =>
    call
      .headers({ ...HEAD, "grpc-encoding": "gzip" })
      .data(frame)
      .headers(OK, true),
  );
  expect(await bodyFailure()).toMatchObject({ kind: "protocol-error", grpcStatus: GrpcStatus.INTERNAL });
});

test("a message too large to be sent is the caller's mistake, and nobody else's", async () => {
  await meet(() => {});
  const request = rpcRequestOf({ body: "x".repeat(2_000) });
  request.context.rpc = { kind: "unary", waitForReady: false, client: { "grpc.max_send_message_length": 1_000 } };
  const error = await channel.send(request).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(MeshError);
  expect(error).toMatchObject({ code: "invalid_request", grpcStatus: GrpcStatus.RESOURCE_EXHAUSTED });
});
