import { expect, test } from "vitest";
import { tryOf } from "../../test/builders.ts";
import { fakeTransport, stuck } from "../../test/fake-transport.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import type { ClientTls } from "../client-tls.ts";
import { seededRandom } from "../random.ts";
import type { ChannelSettings } from "../transport.ts";
import { Channels } from "./channels.ts";

const WINDOW_MS = 30_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Long before anything here happens. */
const LONG_AGO = -HOUR;

function tlsOf(mode: ClientTls["mode"]): ClientTls {
  return {
    key: mode,
    mode,
    connectOptions: () => ({}),
    refusal: () => null,
    provenUntilMs: () => Number.POSITIVE_INFINITY,
    watch: () => () => null,
  };
}

function settingsOf(parts: Partial<ChannelSettings> = {}): ChannelSettings {
  return { address: "a:1", protocol: "http1", tls: tlsOf("mutual"), maxConnections: 100, connectTimeoutMs: 2_000, ...parts };
}

function channels(random = seededRandom(1)) {
  const clock = virtualClock();
  const transport = fakeTransport();
  const all = new Channels(transport, clock, random);
  const open = (parts: Partial<ChannelSettings> = {}) => {
    const lease = all.lease(settingsOf(parts));
    lease.channel(clock.now());
    return lease;
  };
  /** Something in flight that ends when the test says so, or is cut. */
  const busy = (address = "a:1") => {
    transport.script(address, stuck);
    const request = tryOf();
    const lease = open({ address });
    const sent = lease.channel(clock.now()).send(request);
    sent.catch(() => {});
    return { lease, sent, end: () => request.cancel.cancel(new Error("over")) };
  };
  return { clock, transport, all, open, busy };
}

test("an expiry closes every channel of mutual TLS at once, and cuts what has not finished 5 minutes later", async () => {
  const { clock, transport, all, open, busy } = channels();
  open({ address: "a:1" });
  open({ address: "a:2", tls: tlsOf("simple") });
  open({ address: "a:3", tls: null });
  const { sent } = busy("a:4");
  all.rotate(LONG_AGO);
  all.expire();
  expect(transport.events.filter((event) => event.startsWith("close"))).toEqual(["close a:1", "close a:4"]);
  await clock.advance(5 * MINUTE);
  await expect(sent).rejects.toThrow(
    /was cut: it was authenticated by a certificate or a root that is in force no longer, and had 5m to finish/,
  );
  all.destroy(new Error("over"));
});

test("a rotation renews each open channel within 30 seconds, at moments spread by chance", async () => {
  const { clock, transport, all, open } = channels();
  for (let index = 0; index < 100; index++) open({ address: `a:${index}` });
  all.rotate(LONG_AGO);
  const closed = () => transport.events.filter((event) => event.startsWith("close")).length;
  expect(closed()).toBe(0);
  const perThird: number[] = [];
  for (let third = 0; third < 3; third++) {
    const before = closed();
    await clock.advance(WINDOW_MS / 3);
    perThird.push(closed() - before);
  }
  expect(closed()).toBe(100);
  expect(Math.min(...perThird)).toBeGreaterThan(20);
});

test("after its renewal the next use opens another channel, of the same lease", async () => {
  const { clock, transport, all, open } = channels();
  const lease = open();
  const before = lease.channel(0);
  all.rotate(LONG_AGO);
  expect(lease.channel(0)).toBe(before);
  await clock.advance(WINDOW_MS);
  expect(lease.channel(clock.now())).not.toBe(before);
  expect(transport.events).toEqual(["open a:1", "close a:1", "open a:1"]);
});

test("plain text and servers outside of the mesh are left alone: they are shown no certificate", async () => {
  const { clock, transport, all, open } = channels();
  open({ tls: null });
  open({ tls: tlsOf("simple") });
  all.rotate(LONG_AGO);
  expect(clock.pendingTimers).toBe(0);
  await clock.advance(2 * HOUR);
  expect(transport.events).toEqual(["open a:1", "open a:1"]);
});

test("a renewal that is due is not put off by the rotations after it", async () => {
  const draws = [0.5, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9];
  const { clock, transport, all, open } = channels(() => draws.shift() ?? 0.9);
  open();
  for (let rotation = 0; rotation < 7; rotation++) {
    all.rotate(LONG_AGO);
    await clock.advance(2_000);
  }
  expect(transport.events).toEqual(["open a:1"]);
  all.rotate(LONG_AGO);
  expect(clock.pendingTimers).toBe(1);
  await clock.advance(1_000);
  expect(transport.events).toEqual(["open a:1", "close a:1"]);
});

test("a channel that was opened after a rotation is renewed by the next", async () => {
  const { clock, transport, all, open } = channels();
  const lease = open();
  all.rotate(LONG_AGO);
  await clock.advance(WINDOW_MS);
  lease.channel(clock.now());
  all.rotate(LONG_AGO);
  await clock.advance(WINDOW_MS);
  expect(transport.events).toEqual(["open a:1", "close a:1", "open a:1", "close a:1"]);
});

test("a channel that closed for another reason meanwhile is not closed once more", async () => {
  const { clock, transport, all, open } = channels();
  const lease = open();
  all.rotate(LONG_AGO);
  lease.renew();
  lease.channel(clock.now());
  await clock.advance(WINDOW_MS);
  expect(transport.events).toEqual(["open a:1", "close a:1", "open a:1"]);
});

test.each([
  { former: "ends in 20 minutes", untilMs: 20 * MINUTE, cutAfterMs: 20 * MINUTE },
  { former: "has ended", untilMs: LONG_AGO, cutAfterMs: 5 * MINUTE },
  { former: "lives for days", untilMs: 48 * HOUR, cutAfterMs: HOUR },
])("what is in flight is cut after $cutAfterMs ms where the former certificate $former", async ({ untilMs, cutAfterMs }) => {
  const { clock, transport, all, busy } = channels(() => 0);
  const { sent } = busy();
  all.rotate(untilMs);
  await clock.advance(cutAfterMs - 1);
  expect(transport.events).toEqual(["open a:1", "close a:1"]);
  await clock.advance(1);
  expect(transport.events).toEqual(["open a:1", "close a:1", "destroy a:1"]);
  await expect(sent).rejects.toThrow(
    /a connection to a:1 was cut: it was authenticated by a certificate or a root that is in force no longer/,
  );
});

test("what finishes in time is not cut, and leaves no timer", async () => {
  const { clock, transport, all, busy } = channels();
  const { end } = busy();
  all.rotate(LONG_AGO);
  await clock.advance(WINDOW_MS);
  end();
  await clock.advance(0);
  expect(clock.pendingTimers).toBe(0);
  await clock.advance(2 * HOUR);
  expect(transport.events).toEqual(["open a:1", "close a:1"]);
});

test("a channel that finishes already, for however long, gets a limit by a rotation", async () => {
  const { clock, transport, all, busy } = channels();
  const { lease } = busy();
  lease.renew();
  await clock.advance(2 * HOUR);
  all.rotate(LONG_AGO);
  await clock.advance(5 * MINUTE - 1);
  expect(transport.events).toEqual(["open a:1", "close a:1"]);
  await clock.advance(1);
  expect(transport.events).toEqual(["open a:1", "close a:1", "destroy a:1"]);
});

test("the limit of a channel that finishes is not moved by later rotations", async () => {
  const { clock, transport, all, busy } = channels(() => 0);
  busy();
  all.rotate(LONG_AGO);
  await clock.advance(4 * MINUTE);
  all.rotate(48 * HOUR);
  expect(clock.pendingTimers).toBe(1);
  await clock.advance(MINUTE);
  expect(transport.events).toEqual(["open a:1", "close a:1", "destroy a:1"]);
});

test("destroy leaves neither renewals nor limits behind", async () => {
  const { clock, transport, all, open, busy } = channels();
  busy("b:1").lease.renew();
  open();
  all.rotate(LONG_AGO);
  expect(clock.pendingTimers).toBe(2);
  all.destroy(new Error("the mesh was closed"));
  expect(clock.pendingTimers).toBe(0);
  expect(new Set(transport.events.slice(3))).toEqual(new Set(["destroy a:1", "destroy b:1"]));
});

test("close ends renewals that are due", async () => {
  const { clock, transport, all, open } = channels();
  open();
  all.rotate(LONG_AGO);
  await all.close();
  expect(clock.pendingTimers).toBe(0);
  await clock.advance(WINDOW_MS);
  expect(transport.events).toEqual(["open a:1", "close a:1"]);
});
