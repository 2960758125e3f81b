import { type ChannelInterface, credentials, Metadata, type StatusObject } from "@grpc/grpc-js";
import { createMesh, GrpcStatus, type Mesh, seededRandom, staticSource } from "@heddle/core";
import { backendOf, endpointSetOf, routeOf, snapshotOf, type VirtualClock, virtualClock, virtualHostOf } from "@heddle/testing";
import { type FakeGrpcCall, type FakeGrpcTransport, fakeGrpcTransport } from "@heddle/testing/grpc";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { GrpcCall } from "./grpc-js-types.ts";
import { meshGrpcOptions } from "./grpc-options.ts";

const ADDRESS = "10.0.0.1:9000";

/** What one side does next; several of one kind may follow each other, and turns of the event loop pass in between. */
type Step = "write" | "read" | "half-close" | "cancel" | "take" | "head" | "send" | "break" | "end" | "turn" | "time";

const common: fc.Arbitrary<Step> = fc.constantFrom<Step>("write", "write", "read", "take", "send", "turn");
const early: fc.Arbitrary<Step> = fc.constantFrom<Step>("break", "turn", "write", "take", "time");
const ending: fc.Arbitrary<Step> = fc.constantFrom<Step>("half-close", "cancel", "end", "turn");

/** Tries may break at first; most calls get far before anything ends them, and many are left to end well. */
const steps: fc.Arbitrary<readonly Step[]> = fc
  .tuple(
    fc.array(early, { maxLength: 10 }),
    fc.array(fc.oneof({ arbitrary: common, weight: 20 }, { arbitrary: fc.constant<Step>("head"), weight: 1 }), {
      maxLength: 50,
      size: "max",
    }),
    fc.array(ending, { maxLength: 1 }),
    fc.array(common, { maxLength: 10 }),
  )
  .map((parts) => parts.flat());

/** Everything that a client of a stream sees and does. */
class ClientSide {
  readonly written: string[] = [];
  readonly read: string[] = [];
  readonly statuses: StatusObject[] = [];
  calledBack = 0;
  wanted = 0;
  isHalfClosed = false;
  isCancelled = false;
  readonly #call: GrpcCall;

  constructor(channel: ChannelInterface) {
    this.#call = channel.createCall("/test.Text/Bidi", Number.POSITIVE_INFINITY, null, null, null);
    this.#call.start(new Metadata(), {
      onReceiveMetadata: () => {},
      onReceiveMessage: (message: Buffer) => {
        this.read.push(message.toString());
        // One for each that was asked for, and none more.
        expect(this.read.length).toBeLessThanOrEqual(this.wanted);
      },
      onReceiveStatus: (status) => this.statuses.push(status),
    });
  }

  write(): void {
    if (this.isHalfClosed) return;
    const text = `c${this.written.length}`;
    this.written.push(text);
    this.#call.sendMessageWithContext({ callback: () => this.calledBack++ }, Buffer.from(text));
  }

  readOne(): void {
    // A reader of grpc-js asks again only when it has what it asked for.
    if (this.wanted > this.read.length) return;
    this.wanted++;
    this.#call.startRead();
  }

  halfClose(): void {
    if (this.isHalfClosed) return;
    this.isHalfClosed = true;
    this.#call.halfClose();
  }

  cancel(): void {
    this.isCancelled = true;
    this.#call.cancelWithStatus(GrpcStatus.CANCELLED, "enough");
  }
}

/** The endpoint, with every try that reached it. */
class ServerSide {
  readonly tries: FakeGrpcCall[] = [];
  readonly sent: string[] = [];
  breaks = 0;
  hasHead = false;
  sawHalfClose = false;
  #taking: Promise<unknown> = Promise.resolve();

  get current(): FakeGrpcCall | undefined {
    return this.tries.at(-1);
  }

  take(): Promise<unknown> {
    const call = this.current;
    if (!call) return Promise.resolve();
    this.#taking = this.#taking.then(async () => {
      if (call.isOver || this.sawHalfClose) return;
      this.sawHalfClose = (await call.next().catch(() => "over")) === null;
    });
    return this.#taking;
  }

  head(): void {
    if (!this.current || this.current.isOver) return;
    this.hasHead = true;
    this.current.sendMetadata({ "x-head": "1" });
  }

  send(): void {
    if (!this.current || this.current.isOver) return;
    const text = `s${this.sent.length}`;
    this.hasHead = true;
    this.sent.push(text);
    void this.current.send(text);
  }

  /** Only before the commit point, and no more often than there are tries. */
  break(): void {
    if (!this.current || this.current.isOver || this.hasHead || this.breaks >= 3) return;
    this.breaks++;
    this.current.break("reset");
  }
}

interface World {
  readonly mesh: Mesh;
  readonly clock: VirtualClock;
  readonly transport: FakeGrpcTransport;
  readonly client: ClientSide;
  readonly server: ServerSide;
}

function world(): World {
  const clock = virtualClock();
  const transport = fakeGrpcTransport({ clock });
  const retry = {
    maxRetries: 5,
    on: ["grpc:unavailable" as const],
    methods: [],
    perTryTimeoutMs: null,
    backoff: { baseMs: 1, maxMs: 5 },
    retryAfterMaxMs: 0,
  };
  const snapshot = snapshotOf({
    virtualHosts: [virtualHostOf({ routes: [routeOf({ retry })] })],
    backends: [backendOf({ protocol: "grpc" })],
    endpointSets: [endpointSetOf({ addresses: [ADDRESS] })],
  });
  const mesh = createMesh({ config: staticSource(snapshot), transport, clock, random: seededRandom(1), onProblem: () => {} });
  const server = new ServerSide();
  transport.endpoint(ADDRESS).handle((call) => {
    server.sawHalfClose = false;
    server.tries.push(call);
  });
  const channel = meshGrpcOptions(mesh).channelFactoryOverride("reviews", credentials.createInsecure(), {});
  return { mesh, clock, transport, client: new ClientSide(channel), server };
}

async function act({ client, server, clock }: World, step: Step): Promise<void> {
  switch (step) {
    case "write":
      return client.write();
    case "read":
      return client.readOne();
    case "half-close":
      return client.halfClose();
    case "cancel":
      return client.cancel();
    case "take":
      return void server.take();
    case "head":
      return server.head();
    case "send":
      return server.send();
    case "break":
      return server.break();
    case "end":
      return void server.current?.end(GrpcStatus.ABORTED, "done");
    case "turn":
      return clock.settle();
    case "time":
      return clock.advance(10);
    default:
      return step satisfies never;
  }
}

/** Whatever is left: the client closes its side and reads, the server takes everything, sends one more and ends. */
async function finish(world: World): Promise<void> {
  const { client, server, clock } = world;
  client.halfClose();
  for (let turn = 0; turn < 500 && client.statuses.length === 0; turn++) {
    client.readOne();
    await clock.advance(10);
    if (server.sawHalfClose && server.current?.isOver === false) {
      server.send();
      server.current.end();
    } else void server.take();
  }
  await clock.advance(10);
}

function isPrefix(part: readonly string[], whole: readonly string[]): boolean {
  return part.length <= whole.length && part.every((text, index) => text === whole[index]);
}

function check({ client, server, transport }: World): void {
  expect(client.statuses).toHaveLength(1);
  const [status] = client.statuses;
  // However often it was tried: each try sees the messages from the first on, in order, none twice.
  for (const each of server.tries) expect(isPrefix(each.received.map(String), client.written)).toBe(true);
  expect(isPrefix(client.read, server.sent)).toBe(true);
  // What was committed is never sent to anybody else.
  expect(server.tries.length).toBeLessThanOrEqual(1 + server.breaks);
  if (status?.code === GrpcStatus.OK) {
    expect(server.current?.received.map(String)).toEqual(client.written);
    expect(client.read).toEqual(server.sent);
  } else if (status?.code === GrpcStatus.ABORTED) expect(client.read).toEqual(server.sent);
  else expect([status?.code, client.isCancelled]).toEqual([GrpcStatus.CANCELLED, true]);
  // No writer waits for ever.
  expect(client.calledBack).toBe(client.written.length);
  expect(transport.inFlight).toBe(0);
}

test("over any interleaving of writes, reads, cancels, breaks and retries no message is lost, repeated or out of order", async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (played) => {
      const playing = world();
      // Nothing but what a generated client does at once tells this channel what kind of call it is.
      await playing.clock.settle();
      for (const step of played) await act(playing, step);
      await finish(playing);
      check(playing);
      const closed = playing.mesh.close({ limit: 0 });
      await playing.clock.advance("10s");
      await closed;
      expect(playing.clock.pendingTimers).toBe(0);
    }),
    { numRuns: 300 },
  );
}, 120_000);
