import { once } from "node:events";
import { connect as connectHttp2, constants } from "node:http2";
import { connect } from "node:net";
import { Server as GrpcServer, Metadata, status } from "@grpc/grpc-js";
import { grpcServer, listenGrpc } from "@heddle/grpc";
import { describe, expect, test } from "vitest";
import { virtualClock } from "../../../packages/core/test/virtual-clock.ts";
import { call, started } from "./echo-service.ts";
import { exchange } from "./raw-stream.ts";
import { authority, client, served } from "./serving.ts";

/** Everything that is answered to these bytes until the connection closes. */
async function answerTo(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => (received += chunk));
  socket.on("error", () => {});
  socket.write(bytes, "latin1");
  await new Promise((closed) => socket.once("close", closed));
  return received;
}

describe.each(["permissive", "disable"])("on a port whose mode is %s", (mtls) => {
  test.each([
    "GET / HTTP/1.1\r\nhost: reviews\r\n\r\n",
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    `PRI * HTTP/2.0\r\n\r\nNO\r\n\r\n${"x".repeat(99)}`,
  ])("bytes that are no HTTP/2 close their connection, and no other: %j", async (bytes) => {
    const { listener, lines, inFlight } = await served({ mtls }, { identity: authority.source("reviews") });
    const caller = client(listener.port);
    const stream = started(caller, "Talk", ["one"], {}, true);
    await stream.first;
    expect(await answerTo(listener.port, bytes)).not.toMatch(/^HTTP\/1\.\d 200/);
    stream.send(null);
    expect((await stream.outcome).code).toBe(status.OK);
    expect((await call(caller, "Say", ["one"])).code).toBe(status.OK);
    expect(lines).toHaveLength(2);
    await expect.poll(inFlight).toBe(0);
  });
});

test.each(["permissive", "disable"])("who says nothing is let go after 10 s, and who said all there is to say is not: %s", async (mtls) => {
  const clock = virtualClock();
  const { listener } = await served({ mtls }, { identity: authority.source("reviews"), clock: clock as never });
  const caller = client(listener.port);
  expect((await call(caller, "Say", ["one"])).code).toBe(status.OK);
  const silent = connect(listener.port, "127.0.0.1");
  const closed = once(silent, "close");
  silent.resume();
  await once(silent, "connect");
  // A call on another connection, made later, is answered when this one has long been accepted.
  expect((await call(client(listener.port), "Say", ["one"])).code).toBe(status.OK);
  await clock.advance(11_000);
  await closed;
  expect((await call(caller, "Say", ["one"])).code).toBe(status.OK);
});

test("metadata that is too large ends its call alone, and is counted nowhere as in flight", async () => {
  const { listener, inFlight } = await served({});
  const caller = client(listener.port);
  const many = new Metadata();
  for (let count = 0; count < 300; count++) many.add(`x-${count}`, "1");
  const large = new Metadata();
  large.set("x-large", "x".repeat(200_000));
  for (const metadata of [many, large]) expect((await call(caller, "Say", ["one"], { metadata })).code).not.toBe(status.OK);
  expect((await call(caller, "Say", ["one"])).code).toBe(status.OK);
  await expect.poll(inFlight).toBe(0);
});

test("resets of every code, at any moment of a call, leave nothing in flight and the connection usable", async () => {
  const { listener, lines, inFlight } = await served({}, { handlers: { Gather: () => {} } });
  const session = connectHttp2(`http://127.0.0.1:${listener.port}`);
  session.on("error", () => {});
  const headers = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };
  let count = 0;
  for (let code = 0; code <= constants.NGHTTP2_HTTP_1_1_REQUIRED; code++) {
    for (const path of ["/shop.Echo/Talk", "/shop.Echo/Gather", "/shop.Echo/Nope"]) {
      const stream = session.request({ ...headers, ":path": path });
      stream.on("error", () => {});
      stream.resume();
      stream.write(Buffer.from([0, 0, 0, 0, 1, 120]));
      if (count % 2 === 0) await new Promise((later) => setTimeout(later, count % 5));
      stream.close(code);
      count++;
    }
  }
  await expect.poll(inFlight, { timeout: 15_000 }).toBe(0);
  const last = session.request({ ...headers, ":path": "/shop.Echo/Say" });
  last.end(Buffer.from([0, 0, 0, 0, 1, 120]));
  last.resume();
  const [trailers] = await once(last, "trailers");
  expect(trailers["grpc-status"]).toBe("0");
  expect(lines.length).toBeLessThanOrEqual(count + 1);
  session.destroy();
});

test("who has its answer and goes on sending is told to stop, and holds nothing open", async () => {
  const { listener, mesh } = await served({}, { handlers: { Talk: (stream) => void (stream.write({ text: "x" }) && stream.end()) } });
  const session = connectHttp2(`http://127.0.0.1:${listener.port}`);
  session.on("error", () => {});
  const stream = session.request({ ":method": "POST", ":path": "/shop.Echo/Talk", "content-type": "application/grpc" });
  stream.on("error", () => {});
  stream.resume();
  const closed = once(stream, "close");
  const [trailers] = await once(stream, "trailers");
  expect(trailers["grpc-status"]).toBe("0");
  await closed;
  expect(stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
  await mesh.close({ limit: 20_000 });
  session.destroy();
});

test.each([
  ["no message at all", Buffer.alloc(0), status.UNIMPLEMENTED],
  ["a frame that ends in the middle", Buffer.from([0, 0, 0, 0, 9, 120]), status.UNIMPLEMENTED],
  ["a frame above the limit of the server", Buffer.from([0, 127, 0, 0, 0, 120]), status.RESOURCE_EXHAUSTED],
  ["a frame compressed as nobody said", Buffer.from([1, 0, 0, 0, 1, 120]), undefined],
])("%s has its status, and a line", async (_what, body, code) => {
  const { listener, lines, inFlight } = await served({});
  const answer = await exchange(listener.port, { ":path": "/shop.Echo/Say", ":method": "POST", "content-type": "application/grpc" }, body);
  if (code !== undefined) expect(answer.status).toBe(code);
  await expect.poll(() => lines).toHaveLength(1);
  await expect.poll(inFlight).toBe(0);
});

test("a timeout that nobody can read is INTERNAL", async () => {
  const { listener } = await served({});
  const answer = await exchange(
    listener.port,
    { ":path": "/shop.Echo/Gather", ":method": "POST", "content-type": "application/grpc", "grpc-timeout": "soon" },
    Buffer.from([0, 0, 0, 0, 1, 120]),
  );
  expect(answer.status).toBe(status.INTERNAL);
});

describe("mesh.listen says at once what is wrong", () => {
  test("with options, with a server of which the inside is another, and with one that is served already", async () => {
    const { mesh, server } = await served({});
    await expect(listenGrpc(mesh, grpcServer(), { ports: 1 } as never)).rejects.toThrow(/ports/);
    await expect(listenGrpc(mesh, grpcServer(), { health: { live: "/" } } as never)).rejects.toThrow(/live/);
    await expect(listenGrpc(mesh, server)).rejects.toThrow(/served already/);
    await expect(listenGrpc(mesh, { addService() {} } as never)).rejects.toThrow(/two copies of @grpc\/grpc-js/);
    const strange = Object.assign(new GrpcServer(), { handlers: {} });
    await expect(listenGrpc(mesh, strange as never)).rejects.toThrow(
      /@grpc\/grpc-js 1\.\d+\.\d+ is none that @heddle\/grpc works with .*Server\.handlers/,
    );
  });

  test("with a port that is taken, after which the server can be served on another", async () => {
    const { mesh, listener } = await served({});
    const server = grpcServer();
    await expect(listenGrpc(mesh, server, { host: "127.0.0.1", port: listener.port })).rejects.toThrow(/EADDRINUSE/);
    const again = await listenGrpc(mesh, server, { host: "127.0.0.1" });
    expect(again.port).toBeGreaterThan(0);
  });
});
