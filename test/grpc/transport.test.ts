import {
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from "@grpc/grpc-js";
import { type Channel, type MeshRequest, type PushBody, TransportFailure } from "@heddle/core";
import { grpcTransport } from "@heddle/grpc";
import { bodyText, channelSettingsOf, rpcRequestOf } from "@heddle/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { rawPeer } from "./raw-peer.ts";
import { textService } from "./text-service.ts";

// The transport alone, against a server of grpc-js.

let server: Server;
let port: number;
let channel: Channel;
/** The metadata of each unary call. */
let seen: Readonly<Record<string, unknown>>[];

const unary: handleUnaryCall<string, string> = (call, done) => {
  seen.push({ ...call.metadata.getMap(), host: call.getHost() });
  if (call.request === "fail") done({ code: status.NOT_FOUND, details: "no such ✓" });
  else done(null, `${call.request}!`);
};

const clientStream: handleClientStreamingCall<string, string> = (call, done) => {
  const texts: string[] = [];
  call.on("data", (text: string) => texts.push(text));
  call.on("end", () => done(null, texts.join("|")));
};

const serverStream: handleServerStreamingCall<string, string> = (call) => {
  for (const letter of call.request) call.write(letter);
  call.end();
};

const bidi: handleBidiStreamingCall<string, string> = (call) => {
  call.on("data", (text: string) => call.write(text.toUpperCase()));
  call.on("end", () => call.end());
};

async function serve(at: number): Promise<number> {
  server = new Server({ "grpc.default_compression_algorithm": 2 });
  server.addService(textService as ServiceDefinition, { unary, clientStream, serverStream, bidi });
  return new Promise((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    server.bindAsync(`127.0.0.1:${at}`, credentials, (error, bound) => (error ? reject(error) : resolve(bound)));
  });
}

function openTo(address: string): Channel {
  return grpcTransport().open(channelSettingsOf({ address, protocol: "grpc" }));
}

beforeEach(async () => {
  seen = [];
  port = await serve(0);
  channel = openTo(`127.0.0.1:${port}`);
});

afterEach(async () => {
  await channel.close();
  expect(channel.connections()).toBe(0);
  server.forceShutdown();
});

function call(method: string, body: MeshRequest["body"], client: object | null = null, waitForReady = false): MeshRequest {
  const request = rpcRequestOf({ path: `/test.Text/${method}`, body });
  request.context.rpc = { kind: "bidi-stream", waitForReady, client };
  return request;
}

async function textOf(request: MeshRequest): Promise<string> {
  const { body } = await channel.send(request);
  const text = await bodyText(body);
  expect(body.trailers?.["grpc-status"]).toBe("0");
  return text;
}

async function* texts(...all: string[]): AsyncGenerator<Uint8Array> {
  for (const text of all) yield Buffer.from(text);
}

function whenEnded(body: PushBody): Promise<unknown> {
  return new Promise((resolve) => body.whenEnd(resolve));
}

test("carries calls of all four kinds", async () => {
  expect(await textOf(call("Unary", "hello"))).toBe("hello!");
  expect(await textOf(call("ClientStream", texts("a", "", "c")))).toBe("a||c");
  expect(await textOf(call("ServerStream", "letters"))).toBe("letters");
  expect(await textOf(call("Bidi", texts("a", "b")))).toBe("AB");
});

test("carries a conversation, each message after the answer to the one before", async () => {
  const said: string[] = [];
  let answered: () => void = () => undefined;
  async function* talk(): AsyncGenerator<Uint8Array> {
    for (const word of ["one", "two", "three"]) {
      const answer = new Promise<void>((resolve) => {
        answered = resolve;
      });
      yield Buffer.from(word);
      await answer;
    }
  }
  const { body } = await channel.send(call("Bidi", talk()));
  const ended = whenEnded(body);
  body.attach({
    data(chunk) {
      said.push(Buffer.from(chunk).toString());
      answered();
    },
    end: () => undefined,
    fail: () => undefined,
  });
  expect(await ended).toBeNull();
  expect(said).toEqual(["ONE", "TWO", "THREE"]);
});

test("gives the status of the server as trailers, its details as on the wire", async () => {
  const { body } = await channel.send(call("Unary", "fail"));
  expect(await whenEnded(body)).toBeNull();
  expect(body.trailers).toMatchObject({ "grpc-status": "5", "grpc-message": "no%20such%20%E2%9C%93" });
});

test("compresses for a client that is made so, and takes what is compressed", async () => {
  const gzip = { "grpc.default_compression_algorithm": 2 };
  const long = "x".repeat(100_000);
  expect(await textOf(call("Unary", long, gzip))).toBe(`${long}!`);
  expect(await textOf(call("ClientStream", texts(long, "b", "c"), gzip))).toBe(`${long}|b|c`);
  expect(await textOf(call("Bidi", texts("a", "b", "c"), gzip))).toBe("ABC");
});

test("says who calls: the caller's own user agent, or grpc-js's with what its client puts before it", async () => {
  const named = call("Unary", "x");
  const request: MeshRequest = { ...named, authority: "reviews.shop", headers: { "user-agent": "mine/1" } };
  await textOf(request);
  await textOf(call("Unary", "x", { "grpc.primary_user_agent": "shop/2" }));
  await textOf(call("Unary", "x"));
  expect(seen[0]).toMatchObject({ "user-agent": "mine/1", host: "reviews.shop" });
  expect(seen[1]?.["user-agent"]).toMatch(/^shop\/2 grpc-node-js\//);
  expect(seen[2]?.["user-agent"]).toMatch(/^grpc-node-js\//);
});

test("clients that differ in what a connection needs have connections of their own, and others share", async () => {
  await textOf(call("Unary", "x"));
  await textOf(call("Unary", "x", { "grpc.primary_user_agent": "a" }));
  await textOf(call("Unary", "x", { "grpc.primary_user_agent": "a" }));
  expect(channel.connections()).toBe(2);
});

test("a header that cannot be sent is its own call's failure, and not that of the others on the connection", async () => {
  let finish: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    finish = resolve;
  });
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("a");
    await held;
  }
  const { body } = await channel.send(call("Bidi", slow()));
  const bad: MeshRequest = { ...call("Unary", "x"), headers: { authorization: ["one", "two"] } };
  await expect(channel.send(bad)).rejects.toMatchObject({ code: "ERR_HTTP2_HEADER_SINGLE_VALUE" });
  finish();
  expect(await bodyText(body)).toBe("A");
  expect(channel.connections()).toBe(1);
});

test("a call that waits for a connection is sent once there is one, while others fail at once", async () => {
  server.forceShutdown();
  const waiting = textOf(call("Unary", "patience", null, true));
  await expect(channel.send(call("Unary", "x"))).rejects.toMatchObject({ kind: "connect-failure" });
  await serve(port);
  expect(await waiting).toBe("patience!");
});

test("a server that comes back is called again", async () => {
  await textOf(call("Unary", "x"));
  for (let round = 0; round < 3; round++) {
    server.forceShutdown();
    await expect(channel.send(call("Unary", "x"))).rejects.toBeInstanceOf(TransportFailure);
    await serve(port);
    await until(() => channel.send(call("Unary", "x")).then(whenAnswered, () => false));
  }
});

test("an endpoint that fails again and again is not dialled for every call", async () => {
  const peer = await rawPeer(
    () => undefined,
    (socket) => {
      socket.destroy();
      return false;
    },
  );
  const failing = openTo(peer.address);
  for (let round = 0; round < 200; round++)
    await expect(failing.send(call("Unary", "x"))).rejects.toMatchObject({ kind: "connect-failure" });
  expect(peer.connections).toBeLessThan(20);
  await failing.close();
  await peer.close();
});

async function whenAnswered({ body }: { readonly body: PushBody }): Promise<boolean> {
  return (await whenEnded(body)) === null;
}

/** Asks until it is so, as long as a server may need to listen again. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let step = 0; step < 500; step++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("never");
}
