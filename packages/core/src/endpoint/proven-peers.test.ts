import { EventEmitter } from "node:events";
import type { TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { fakeTransport } from "../../test/fake-transport.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import type { ClientTls } from "../client-tls.ts";
import { type Random, seededRandom } from "../random.ts";
import type { ChannelSettings } from "../transport.ts";
import { Channels } from "./channels.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A connection to a peer whose proof ends at `untilMs`. */
interface Meeting extends EventEmitter {
  readonly untilMs: number;
  isRefused: boolean;
}

function meeting(untilMs: number): Meeting {
  return Object.assign(new EventEmitter(), { untilMs, isRefused: false });
}

function channels(random: Random = seededRandom(1)) {
  const clock = virtualClock();
  const fake = fakeTransport();
  const opened: ChannelSettings[] = [];
  const transport = {
    open(settings: ChannelSettings) {
      opened.push(settings);
      return fake.open(settings);
    },
  };
  const all = new Channels(transport, clock, random);
  const tls: ClientTls = {
    key: "mutual",
    mode: "mutual",
    connectOptions: () => ({}),
    refusal: (socket) => ((socket as unknown as Meeting).isRefused ? new Error("refused") : null),
    provenUntilMs: (socket) => (socket as unknown as Meeting).untilMs,
    watch: () => () => null,
  };
  const lease = (address = "a:1") => all.lease({ address, protocol: "http1", tls, maxConnections: 100, connectTimeoutMs: 2_000 });
  /** On the channel that was opened last: as a transport does it after a handshake. */
  const meet = (...peers: Meeting[]) => {
    for (const peer of peers) opened.at(-1)?.tls?.refusal(peer as unknown as TLSSocket, "a");
  };
  return { clock, all, lease, meet, opened, events: fake.events };
}

test("a channel is renewed when what the first of its peers proved ends, and not before", async () => {
  const { clock, lease, meet, events } = channels();
  const held = lease();
  held.channel(0);
  meet(meeting(50_000), meeting(40_000), meeting(DAY));
  await clock.advance(39_999);
  expect(events).toEqual(["open a:1"]);
  await clock.advance(1);
  expect(events).toEqual(["open a:1", "close a:1"]);
  held.channel(clock.now());
  meet(meeting(90_000));
  await clock.advance(49_999);
  expect(events).toEqual(["open a:1", "close a:1", "open a:1"]);
  await clock.advance(1);
  expect(events).toEqual(["open a:1", "close a:1", "open a:1", "close a:1"]);
});

test("channels whose peers share a certificate are renewed in the half minute before its end, at moments spread by chance", async () => {
  const { clock, lease, meet, events } = channels();
  for (let index = 0; index < 60; index++) {
    lease(`a:${index}`).channel(0);
    meet(meeting(2 * HOUR));
  }
  const closed = () => events.filter((event) => event.startsWith("close")).length;
  await clock.advance(2 * HOUR - 30_000);
  expect(closed()).toBe(0);
  await clock.advance(15_000);
  expect(closed()).toBeGreaterThan(15);
  expect(closed()).toBeLessThan(45);
  await clock.advance(15_000);
  expect(closed()).toBe(60);
});

test("a jump of the wall clock is seen within a minute", async () => {
  const { clock, all, lease, meet, events } = channels(() => 0);
  lease().channel(0);
  meet(meeting(HOUR));
  const { wallTime } = clock;
  Object.assign(clock, { wallTime: () => wallTime() + HOUR });
  await clock.advance(MINUTE);
  expect(events).toEqual(["open a:1", "close a:1"]);
  all.destroy(new Error("over"));
});

test("a connection that has closed counts no longer", async () => {
  const { clock, lease, meet, events } = channels(() => 0);
  lease().channel(0);
  const gone = meeting(10 * MINUTE);
  meet(gone, meeting(HOUR));
  gone.emit("close");
  await clock.advance(HOUR - 1);
  expect(events).toEqual(["open a:1"]);
  await clock.advance(1);
  expect(events).toEqual(["open a:1", "close a:1"]);
});

test("a withdrawn root renews at once, although a renewal was due later, the channels whose peers would be refused now, and them alone", async () => {
  const { clock, all, lease, meet, events } = channels(() => 0.5);
  lease("a:1").channel(0);
  meet(meeting(HOUR));
  lease("a:2").channel(0);
  const doubtful = meeting(HOUR);
  meet(doubtful);
  all.rotate(HOUR);
  doubtful.isRefused = true;
  expect(events).toEqual(["open a:1", "open a:2"]);
  all.rotate(clock.wallTime());
  expect(events).toEqual(["open a:1", "open a:2", "close a:2"]);
  await clock.advance(15_000);
  expect(events).toEqual(["open a:1", "open a:2", "close a:2", "close a:1"]);
});

test("whom the transport was told to refuse counts for nothing, and what is asked reaches the given TLS", () => {
  const { clock, lease, meet, opened } = channels();
  lease().channel(0);
  const stranger = Object.assign(meeting(MINUTE), { isRefused: true });
  meet(stranger);
  expect(stranger.listenerCount("close")).toBe(0);
  expect(clock.pendingTimers).toBe(0);
  expect(opened[0]?.tls?.provenUntilMs(stranger as unknown as TLSSocket)).toBe(MINUTE);
});

test.each(["close", "destroy"] as const)("%s leaves no timer, and a handshake that ends after it makes none", async (how) => {
  const { clock, all, lease, meet } = channels();
  lease().channel(0);
  meet(meeting(HOUR));
  expect(clock.pendingTimers).toBe(1);
  await all[how](new Error("over"));
  expect(clock.pendingTimers).toBe(0);
  meet(meeting(HOUR));
  expect(clock.pendingTimers).toBe(0);
});
