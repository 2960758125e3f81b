import { AsyncLocalStorage } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { credentials, Metadata, propagate, type StatusObject } from "@grpc/grpc-js";
import { createMesh, GrpcStatus, localResponse, type Mesh, meshError, runInScope, seededRandom, staticSource } from "@heddle/core";
import { backendOf, endpointSetOf, routeOf, snapshotOf, virtualClock, virtualHostOf } from "@heddle/testing";
import { type FakeGrpcEndpoint, fakeGrpcTransport } from "@heddle/testing/grpc";
import { afterEach, expect, test } from "vitest";
import { outcomeOf, streamed } from "../../../test/grpc/calls.ts";
import { TextClient } from "../../../test/grpc/text-service.ts";
import { meshGrpc, meshGrpcOptions } from "./grpc-options.ts";

const ADDRESS = "10.0.0.1:9000";

interface World {
  readonly mesh: Mesh;
  readonly client: TextClient;
  readonly endpoint: FakeGrpcEndpoint;
  readonly clock: ReturnType<typeof virtualClock>;
  readonly transport: ReturnType<typeof fakeGrpcTransport>;
}

let open: World | null = null;

function world(route: Parameters<typeof routeOf>[0] = {}): World {
  const clock = virtualClock();
  const transport = fakeGrpcTransport({ clock });
  const snapshot = snapshotOf({
    virtualHosts: [virtualHostOf({ routes: [routeOf(route)] })],
    backends: [backendOf({ protocol: "grpc" })],
    endpointSets: [endpointSetOf({ addresses: [ADDRESS] })],
    egress: "deny",
  });
  const mesh = createMesh({ config: staticSource(snapshot), transport, clock, random: seededRandom(1), onProblem: () => {} });
  const client = meshGrpc(mesh, TextClient, "reviews");
  open = { mesh, client, endpoint: transport.endpoint(ADDRESS), clock, transport };
  return open;
}

afterEach(async () => {
  if (open === null) return;
  const { mesh, clock, transport } = open;
  open = null;
  const closed = mesh.close({ limit: 0 });
  await clock.advance("10s");
  await closed;
  expect(transport.inFlight).toBe(0);
  expect(clock.pendingTimers).toBe(0);
});

test("carries a unary call with metadata, bytes and trailers, both ways", async () => {
  const { client, endpoint } = world();
  endpoint.answer({
    metadata: { "x-first": "1", "x-bytes-bin": Buffer.from([0, 255]).toString("base64") },
    messages: ["yes"],
    trailers: { "x-last": ["a", "b"] },
  });
  const sent = new Metadata();
  sent.add("x-tenant", "acme");
  sent.add("x-tenant", "other");
  sent.add("x-raw-bin", Buffer.from([1, 2, 3]));
  let metadata: Metadata | undefined;
  let status: StatusObject | undefined;
  const { value, code } = await outcomeOf((callback) => {
    const call = client.unary("hello?", sent, callback);
    call.on("metadata", (received) => {
      metadata = received;
    });
    call.on("status", (received) => {
      status = received;
    });
  });
  await Promise.resolve();
  expect({ value, code }).toEqual({ value: "yes", code: 0 });
  expect(metadata?.getMap()).toEqual({ "x-first": "1", "x-bytes-bin": Buffer.from([0, 255]) });
  expect(status?.metadata.get("x-last")).toEqual(["a", "b"]);
  expect(status?.metadata.get("grpc-status")).toEqual([]);
  const [call] = endpoint.calls;
  expect(call).toMatchObject({ path: "/test.Text/Unary", authority: "reviews" });
  expect(call?.headers).toMatchObject({ "x-tenant": ["acme", "other"], "x-raw-bin": Buffer.from([1, 2, 3]).toString("base64") });
  expect(call?.received.map(String)).toEqual(["hello?"]);
});

test("carries an empty message as a message", async () => {
  const { client, endpoint } = world();
  expect(await outcomeOf((callback) => client.unary("", callback))).toMatchObject({ code: 0, value: "" });
  expect(endpoint.calls[0]?.received).toHaveLength(1);
});

test("gives the caller what a server that answers trailers only says, with its trailers", async () => {
  const { client, endpoint } = world();
  endpoint.answer({ status: GrpcStatus.NOT_FOUND, details: "no book, 100 % sure: \u00fc", trailers: { "x-why": "sold" } });
  const { code, details, error } = await outcomeOf((callback) => client.unary("?", callback));
  expect({ code, details }).toEqual({ code: GrpcStatus.NOT_FOUND, details: "no book, 100 % sure: \u00fc" });
  expect(error?.metadata.getMap()).toEqual({ "x-why": "sold" });
});

test("carries a stream of requests, and calls back as each is taken", async () => {
  const { client, endpoint } = world();
  endpoint.handle(async (call) => {
    const all = await call.all();
    await call.send(all.map(String).join("+"));
    call.end();
  });
  const taken: number[] = [];
  const outcome = outcomeOf((callback) => {
    const stream = client.clientStream(callback);
    for (let i = 0; i < 100; i++) stream.write(`${i}`, () => taken.push(i));
    stream.end();
  });
  expect((await outcome).value).toBe(Array.from({ length: 100 }, (_, i) => i).join("+"));
  expect(taken).toHaveLength(100);
});

test("carries a stream of answers in order, and its status after the last one", async () => {
  const { client, endpoint } = world();
  endpoint.answer({ metadata: { "x-first": "1" }, messages: ["a", "", "c"], status: GrpcStatus.ABORTED, details: "enough" });
  const { messages, metadata, status } = await streamed(client.serverStream("?"));
  expect(messages).toEqual(["a", "", "c"]);
  expect(metadata?.get("x-first")).toEqual(["1"]);
  expect(status).toMatchObject({ code: GrpcStatus.ABORTED, details: "enough" });
});

test("begins a call of two streams before its client has written, so that the server may speak first", async () => {
  const { client, endpoint } = world();
  endpoint.handle(async (call) => {
    call.sendMetadata({ "x-hello": "you first" });
    for (let message = await call.next(); message !== null; message = await call.next()) await call.send(`${message}!`);
    call.end();
  });
  const stream = client.bidi();
  const heard: string[] = [];
  await new Promise<void>((resolve) => stream.on("metadata", () => resolve()));
  stream.on("data", (message: string) => {
    heard.push(message);
    if (heard.length < 5) stream.write(`${heard.length}`);
    else stream.end();
  });
  stream.write("0");
  await new Promise<void>((resolve) => stream.on("end", resolve));
  expect(heard).toEqual(["0!", "1!", "2!", "3!", "4!"]);
});

test("gives a streaming reader one message for each read, and holds the server back meanwhile", async () => {
  const { client, endpoint, clock } = world();
  const chunk = "x".repeat(64 * 1024);
  let sent = 0;
  endpoint.handle(async (call) => {
    await call.all();
    for (; sent < 1_000 && !call.isOver; sent++) await call.send(chunk);
    call.end();
  });
  const stream = client.serverStream("?");
  await new Promise<void>((resolve) => stream.once("readable", resolve));
  await clock.advance("1m");
  const sentUnread = sent;
  expect(sentUnread).toBeLessThan(40);
  let read = 0;
  for await (const message of stream) read += (message as string).length;
  expect(read).toBe(1_000 * chunk.length);
});

test("tells the endpoint of a cancelled call, and the caller at once", async () => {
  const { client, endpoint, mesh, clock } = world();
  endpoint.hang();
  const outcome = new Promise<StatusObject>((resolve) => {
    const call = client.unary("?", () => {});
    call.on("status", resolve);
    setImmediate(() => call.cancel());
  });
  expect(await outcome).toMatchObject({ code: GrpcStatus.CANCELLED, details: "Cancelled on client" });
  expect(endpoint.calls[0]?.isOver).toBe(true);
  expect(endpoint.calls[0]?.cancelReason).toMatchObject({ message: "Cancelled on client" });
  await clock.settle();
  expect(mesh.inspect().backends[0]?.inFlight).toBe(0);
});

test("a call that is cancelled in the tick it was made in never leaves", async () => {
  const { client, endpoint, clock } = world();
  const stream = client.clientStream(() => {});
  const status = new Promise<StatusObject>((resolve) => stream.on("status", resolve));
  stream.on("error", () => {});
  stream.cancel();
  stream.write("too late");
  expect(await status).toMatchObject({ code: GrpcStatus.CANCELLED });
  await clock.settle();
  expect(endpoint.calls.flatMap(({ received }) => received)).toEqual([]);
});

test("ends writes that nobody will take any more, so that their stream finishes", async () => {
  const { client, endpoint } = world();
  endpoint.handle((call) => call.end(GrpcStatus.RESOURCE_EXHAUSTED, "no"));
  let stream: ReturnType<TextClient["clientStream"]> | undefined;
  const outcome = await outcomeOf((callback) => {
    stream = client.clientStream(callback);
    for (let i = 0; i < 10; i++) stream.write("x");
    stream.end();
  });
  expect(outcome.code).toBe(GrpcStatus.RESOURCE_EXHAUSTED);
  if (!stream?.writableFinished) await new Promise((resolve) => stream?.on("finish", resolve));
});

test("ends with DEADLINE_EXCEEDED at the caller's deadline, and says whose it was", async () => {
  const { client, endpoint, clock } = world({ timeout: { totalMs: 60_000, headMs: null, idleMs: null, sparesStreams: true } });
  endpoint.hang();
  const outcome = outcomeOf((callback) => client.unary("?", { deadline: clock.wallTime() + 250 }, callback));
  await clock.advance(249);
  expect(endpoint.calls[0]?.isOver).toBe(false);
  await clock.advance(2);
  expect(await outcome).toMatchObject({ code: GrpcStatus.DEADLINE_EXCEEDED });
  expect((await outcome).details).toContain("the call's timeout");
  expect(endpoint.calls[0]?.isOver).toBe(true);
});

test("sends nothing of a call whose deadline has passed", async () => {
  const { client, endpoint, clock } = world();
  const outcome = outcomeOf((callback) => client.unary("?", { deadline: new Date(clock.wallTime() - 1) }, callback));
  await clock.advance(1);
  expect(await outcome).toMatchObject({ code: GrpcStatus.DEADLINE_EXCEEDED });
  expect(endpoint.calls).toEqual([]);
});

test("the timeout of a call narrows the caller's deadline", async () => {
  const { client, endpoint, clock } = world();
  endpoint.hang();
  const outcome = outcomeOf((callback) =>
    client.unary("?", { deadline: clock.wallTime() + 5_000, mesh: { timeout: "100ms", tags: { lane: "7" } } }, callback),
  );
  await clock.advance(101);
  const { code, error } = await outcome;
  expect(code).toBe(GrpcStatus.DEADLINE_EXCEEDED);
  expect(open?.mesh.report(error)?.tags).toEqual({ lane: "7" });
});

test("refuses an option of a call that does not exist where it is made", () => {
  const { client } = world();
  expect(() => client.unary("?", { mesh: { timout: 5 } as object }, () => {})).toThrow(
    /mesh\.timout is not an option; did you mean timeout/,
  );
});

/** What grpc-js gives the handler of a call that comes in. */
function serverCall(deadline: number): EventEmitter & { cancelled: boolean; getDeadline(): number } {
  return Object.assign(new EventEmitter(), { cancelled: false, getDeadline: () => deadline });
}

test("a call made for another inherits its deadline and is cancelled with it, unless the flags say otherwise", async () => {
  const { client, endpoint, clock } = world();
  endpoint.hang();
  const parent = serverCall(clock.wallTime() + 100);
  const options = (propagateFlags?: number) => ({
    parent: parent as never,
    ...(propagateFlags !== undefined && { propagate_flags: propagateFlags }),
  });
  const inheriting = outcomeOf((callback) => client.unary("1", options(), callback));
  const cancelled = outcomeOf((callback) => client.unary("2", options(propagate.CANCELLATION), callback));
  let isAlone = true;
  void outcomeOf((callback) => client.unary("3", options(0), callback)).then(() => {
    isAlone = false;
  });
  await clock.advance(101);
  expect(await inheriting).toMatchObject({ code: GrpcStatus.DEADLINE_EXCEEDED });
  expect(parent.listenerCount("cancelled")).toBe(1);
  parent.emit("cancelled", "cancelled");
  expect(await cancelled).toMatchObject({ code: GrpcStatus.CANCELLED, details: "Cancelled by parent call" });
  expect(parent.listenerCount("cancelled")).toBe(0);
  await clock.settle();
  expect(isAlone).toBe(true);
});

test("inherits the deadline of the inbound request that it is made in", async () => {
  const { client, endpoint, clock } = world();
  endpoint.hang();
  const scope = { trace: null, tags: null, deadlineAt: clock.now() + 40, isRetry: false };
  const outcome = runInScope(scope, () => outcomeOf((callback) => client.unary("?", callback)));
  await clock.advance(41);
  expect((await outcome).details).toContain("all that was left to the inbound request");
});

test("asks call credentials once for a call that is tried twice, and sends what they say", async () => {
  const { client, endpoint } = world();
  endpoint
    .refuse()
    .times(1)
    .answer({ messages: ["in"] });
  const asked: unknown[] = [];
  const callCredentials = credentials.createFromMetadataGenerator((options, callback) => {
    asked.push(options);
    const metadata = new Metadata();
    metadata.set("authorization", "Bearer 1");
    setImmediate(() => callback(null, metadata));
  });
  const outcome = outcomeOf((callback) => client.unary("?", { credentials: callCredentials }, callback));
  expect(await outcome).toMatchObject({ code: 0, value: "in" });
  expect(asked).toEqual([{ method_name: "/test.Text/Unary", service_url: "https://reviews/test.Text" }]);
  expect(endpoint.calls.map(({ headers }) => headers.authorization)).toEqual(["Bearer 1"]);
});

test.each([
  [
    Object.assign(new Error("no token"), { code: GrpcStatus.UNAUTHENTICATED }),
    GrpcStatus.UNAUTHENTICATED,
    /plugin failed with error: no token/,
  ],
  [new Error("no token"), GrpcStatus.UNKNOWN, /no token/],
  [Object.assign(new Error("nope"), { code: GrpcStatus.NOT_FOUND }), GrpcStatus.INTERNAL, /Invalid status from control plane: 5/],
])("ends a call whose credentials fail without sending it (%s)", async (error, code, details) => {
  const { client, endpoint } = world();
  const callCredentials = credentials.createFromMetadataGenerator((_, callback) => callback(error));
  const outcome = await outcomeOf((callback) => client.unary("?", { credentials: callCredentials }, callback));
  expect(outcome.code).toBe(code);
  expect(outcome.details).toMatch(details);
  expect(endpoint.calls).toEqual([]);
});

test("the caller's deadline holds while credentials take their time", async () => {
  const { client, clock } = world();
  const callCredentials = credentials.createFromMetadataGenerator(() => {});
  const outcome = outcomeOf((callback) => client.unary("?", { credentials: callCredentials, deadline: clock.wallTime() + 50 }, callback));
  await clock.advance(51);
  expect(await outcome).toMatchObject({ code: GrpcStatus.DEADLINE_EXCEEDED });
});

test("gives a failure of the mesh its status, its message, itself as cause, and the report", async () => {
  const { client, endpoint, mesh } = world();
  endpoint.refuse();
  let call: object | undefined;
  const outcome = outcomeOf((callback) => {
    call = client.unary("?", { mesh: { retry: false } }, callback);
  });
  const { code, details, error } = await outcome;
  expect(code).toBe(GrpcStatus.UNAVAILABLE);
  expect(details).toContain(`could not connect to ${ADDRESS}`);
  expect(meshError(error)?.code).toBe("connect_failed");
  expect(mesh.report(error)?.attempts).toMatchObject([{ endpoint: ADDRESS, outcome: "connect-failure" }]);
  expect(mesh.report(call)?.endpoint).toBe(ADDRESS);
});

test("has a report for a call that a server refused, and for one that went well", async () => {
  const { client, endpoint, mesh } = world();
  endpoint.answer({ status: GrpcStatus.PERMISSION_DENIED }).times(1);
  const refused = await outcomeOf((callback) => client.unary("?", callback));
  expect(mesh.report(refused.error)?.endpoint).toBe(ADDRESS);
  let call: object | undefined;
  await outcomeOf((callback) => {
    call = client.unary("?", callback);
  });
  expect(mesh.report(call)?.attempts).toHaveLength(1);
});

test("passes on that a call waits for a connection, and what its client was made with", async () => {
  const { client, endpoint, mesh } = world();
  const ready = new Metadata({ waitForReady: true });
  const seen: unknown[] = [];
  endpoint.handle((call) => call.end(GrpcStatus.ABORTED));
  const handler = mesh.virtualHost("reviews");
  mesh.virtualHost = () => (request) => {
    seen.push(request.context.rpc);
    return (handler as NonNullable<typeof handler>)(request);
  };
  await outcomeOf((callback) => client.unary("?", ready, callback));
  await outcomeOf((callback) => client.clientStream(callback).end());
  const gzip = { "grpc.default_compression_algorithm": 2, "grpc.max_receive_message_length": 1_000 };
  await outcomeOf((callback) => meshGrpc(mesh, TextClient, "reviews", gzip).unary("?", callback));
  expect(seen).toEqual([
    { kind: "unary", waitForReady: true, client: null },
    { kind: "client-stream", waitForReady: false, client: null },
    { kind: "unary", waitForReady: false, client: gzip },
  ]);
});

test.each(["a turn of its own", "a promise"])("finds out what kind of call it is where only the factory is used, in %s", async (place) => {
  const { mesh, endpoint } = world();
  // Between two turns of the event loop, ticks come before promises; in a promise it is the other way round.
  const make = async <T>(call: () => Promise<T>): Promise<T> =>
    place === "a promise" ? Promise.resolve().then(call) : new Promise((resolve) => setImmediate(() => resolve(call())));
  const { channelFactoryOverride } = meshGrpcOptions(mesh);
  const client = new TextClient("reviews", credentials.createInsecure(), { channelFactoryOverride });
  const kinds: unknown[] = [];
  const handler = mesh.virtualHost("reviews");
  mesh.virtualHost = () => (request) => {
    kinds.push([request.context.rpc?.kind, request.body instanceof Uint8Array]);
    return (handler as NonNullable<typeof handler>)(request);
  };
  endpoint.handle(async (call) => {
    const all = await call.all();
    await call.send(`${all.length}`);
    call.end();
  });
  expect((await make(() => outcomeOf((callback) => client.unary("?", callback)))).value).toBe("1");
  expect((await make(() => outcomeOf((callback) => client.clientStream(callback).end("?")))).value).toBe("1");
  expect((await make(() => streamed(client.serverStream("?")))).messages).toEqual(["1"]);
  const both = make(() => {
    const stream = client.bidi();
    stream.end("?");
    return streamed(stream);
  });
  expect((await both).messages).toEqual(["1"]);
  expect(kinds).toEqual([
    ["unary", true],
    ["client-stream", false],
    ["server-stream", true],
    ["bidi-stream", false],
  ]);
});

test("names the endpoint of the last try as the peer", async () => {
  const { client } = world();
  let peers: readonly string[] = [];
  await outcomeOf((callback) => {
    const call = client.unary("?", callback);
    call.on("metadata", () => {
      peers = [call.getPeer()];
    });
  });
  expect(peers).toEqual([ADDRESS]);
});

test.each([
  [503, {}, GrpcStatus.UNAVAILABLE, "the answer is not gRPC: HTTP status 503, no grpc-status"],
  [401, {}, GrpcStatus.UNAUTHENTICATED, "the answer is not gRPC: HTTP status 401, no grpc-status"],
  [200, {}, GrpcStatus.UNKNOWN, "the answer ended without grpc-status"],
  [502, { "grpc-status": "8", "grpc-message": "too%20much" }, GrpcStatus.RESOURCE_EXHAUSTED, "too much"],
])("makes a status of an answer that is not gRPC: %i %j", async (status, headers, code, details) => {
  const { client, mesh } = world();
  mesh.virtualHost = () => () => Promise.resolve(localResponse(status, null, headers));
  expect(await outcomeOf((callback) => client.unary("?", callback))).toMatchObject({ code, details });
});

test("refuses a second answer to a call that awaits one", async () => {
  const { client, endpoint } = world();
  endpoint.answer({ messages: ["a", "b"] });
  expect(await outcomeOf((callback) => client.unary("?", callback))).toMatchObject({ code: GrpcStatus.UNIMPLEMENTED });
});

test("closing a client ends its calls that have not left, and no others; the mesh stays", async () => {
  const { client, endpoint, mesh, clock } = world();
  let finish = () => {};
  endpoint.handle(async (call) => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    await call.send("late");
    call.end();
  });
  const inFlight = outcomeOf((callback) => client.unary("?", callback));
  await clock.settle();
  const stuck = credentials.createFromMetadataGenerator(() => {});
  const waiting = outcomeOf((callback) => client.unary("?", { credentials: stuck }, callback));
  client.close();
  expect(await waiting).toMatchObject({ code: GrpcStatus.UNAVAILABLE, details: "Channel closed before call started" });
  finish();
  expect(await inFlight).toMatchObject({ code: 0, value: "late" });
  expect(() => client.unary("?", () => {})).toThrow("Channel has been shut down");
  const other = meshGrpc(mesh, TextClient, "reviews");
  endpoint.restore();
  expect(await outcomeOf((callback) => other.unary("x", callback))).toMatchObject({ value: "x" });
});

test("what a listener throws reaches nobody below, and the call goes on", async () => {
  const { mesh, endpoint, clock } = world();
  endpoint.answer({ messages: ["a", "b"] });
  const thrown: unknown[] = [];
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error));
  try {
    const channel = meshGrpcOptions(mesh).channelFactoryOverride("reviews", credentials.createInsecure(), {});
    const call = channel.createCall("/test.Text/ServerStream", Number.POSITIVE_INFINITY, null, null, null);
    const heard: string[] = [];
    call.start(new Metadata(), {
      onReceiveMetadata() {},
      onReceiveMessage(message: Buffer) {
        heard.push(message.toString());
        call.startRead();
        throw new Error(`mine, of ${message}`);
      },
      onReceiveStatus: ({ code }) => heard.push(`status ${code}`),
    });
    call.sendMessageWithContext({}, Buffer.from("?"));
    call.halfClose();
    await clock.settle();
    call.startRead();
    await clock.settle();
    expect(heard).toEqual(["a", "b", "status 0"]);
    expect(thrown).toMatchObject([{ message: "mine, of a" }, { message: "mine, of b" }]);
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
});

test("callbacks run in the caller's own context, whatever brought the messages", async () => {
  const { client, endpoint, clock } = world();
  endpoint.hang();
  const store = new AsyncLocalStorage<string>();
  const heard: (string | undefined)[] = [];
  const ended = store.run("caller", async () => {
    const stream = client.serverStream("?");
    stream.on("metadata", () => heard.push(store.getStore()));
    stream.on("data", () => heard.push(store.getStore()));
    stream.on("status", () => heard.push(store.getStore()));
    await new Promise((resolve) => stream.on("status", resolve));
  });
  await clock.settle();
  const [call] = endpoint.calls;
  await store.run("a connection of somebody else", async () => {
    await call?.send("a");
    await clock.settle();
    await call?.send("b");
    call?.end();
  });
  await ended;
  expect(heard).toEqual(["caller", "caller", "caller", "caller"]);
});

test("refuses to send two authorizations", async () => {
  const { client, endpoint } = world();
  const sent = new Metadata();
  sent.set("authorization", "mine");
  const callCredentials = credentials.createFromMetadataGenerator((_, callback) => callback(null, sent));
  expect(await outcomeOf((callback) => client.unary("?", sent, { credentials: callCredentials }, callback))).toMatchObject({
    code: GrpcStatus.INTERNAL,
    details: '"authorization" metadata cannot have multiple values',
  });
  expect(endpoint.calls).toEqual([]);
});
