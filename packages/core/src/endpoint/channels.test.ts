import { expect, test } from "vitest";
import { tryOf } from "../../test/builders.ts";
import { fakeTransport, stuck } from "../../test/fake-transport.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import type { ClientTls } from "../client-tls.ts";
import { seededRandom } from "../random.ts";
import type { ChannelSettings } from "../transport.ts";
import { Channels } from "./channels.ts";

const IDLE_MS = 5 * 60_000;

function channels() {
  const clock = virtualClock();
  const transport = fakeTransport();
  return { clock, transport, all: new Channels(transport, clock, seededRandom(1)) };
}

function settingsOf(parts: Partial<ChannelSettings> = {}): ChannelSettings {
  return { address: "a:1", protocol: "http1", tls: null, maxConnections: 100, connectTimeoutMs: 2_000, ...parts };
}

const everything = () => true;
const nothing = () => false;

test("a lease opens nothing until its channel is asked for", () => {
  const { all, transport } = channels();
  const lease = all.lease(settingsOf());
  expect(transport.events).toEqual([]);
  expect(lease.connections()).toBe(0);
  expect(lease.channel(0)).toBe(lease.channel(0));
  expect(transport.events).toEqual(["open a:1"]);
});

test("leases of the same settings share one channel", () => {
  const { all, transport } = channels();
  expect(all.lease(settingsOf()).channel(0)).toBe(all.lease(settingsOf()).channel(0));
  expect(transport.events).toEqual(["open a:1"]);
});

test("a renewed channel finishes what it has, and the next use opens another", () => {
  const { all, transport } = channels();
  const lease = all.lease(settingsOf());
  const before = lease.channel(0);
  lease.renew();
  expect(transport.events).toEqual(["open a:1", "close a:1"]);
  expect(lease.channel(0)).not.toBe(before);
  lease.renew();
  lease.renew();
  expect(transport.events).toEqual(["open a:1", "close a:1", "open a:1", "close a:1"]);
});

test("whatever differs in the settings makes another channel", () => {
  const { all } = channels();
  const tls: ClientTls = {
    key: "one",
    mode: "simple",
    connectOptions: () => ({}),
    refusal: () => null,
    provenUntilMs: () => Number.POSITIVE_INFINITY,
    watch: () => () => null,
  };
  const variants: Partial<ChannelSettings>[] = [
    {},
    { address: "b:1" },
    { protocol: "http2" },
    { tls },
    { tls: { ...tls, key: "other" } },
    { maxConnections: 1 },
  ];
  const opened = variants.map((parts) => all.lease(settingsOf(parts)).channel(0));
  expect(new Set(opened).size).toBe(variants.length);
});

test("a channel that somebody holds is not swept, even if its address has left", () => {
  const { all, transport } = channels();
  const one = all.lease(settingsOf());
  const other = all.lease(settingsOf());
  one.channel(0);
  one.release();
  one.release();
  all.sweep(nothing);
  expect(transport.events).toEqual(["open a:1"]);
  other.release();
  all.sweep(nothing);
  expect(transport.events).toEqual(["open a:1", "close a:1"]);
});

test("an unheld channel is kept while its address is known, and serves whoever leases it again", () => {
  const { all, transport } = channels();
  const lease = all.lease(settingsOf());
  const channel = lease.channel(0);
  lease.release();
  all.sweep(everything);
  expect(all.lease(settingsOf()).channel(0)).toBe(channel);
  expect(transport.events).toEqual(["open a:1"]);
});

test("an unheld channel with old settings is closed once the new one of its address is in use", () => {
  const { all, transport } = channels();
  const old = all.lease(settingsOf());
  old.channel(0);
  old.release();
  all.lease(settingsOf({ maxConnections: 1 })).channel(0);
  all.sweep(everything);
  expect(transport.events).toEqual(["open a:1", "open a:1", "close a:1"]);
});

test("a channel that nothing used for 5 minutes is closed, and opened again for the next request", () => {
  const { all, transport, clock } = channels();
  const lease = all.lease(settingsOf());
  lease.channel(0);
  clock.tick(IDLE_MS - 1);
  all.sweep(everything);
  expect(transport.events).toEqual(["open a:1"]);
  clock.tick(1);
  all.sweep(everything);
  expect(transport.events).toEqual(["open a:1", "close a:1"]);
  lease.channel(clock.now());
  expect(transport.events).toEqual(["open a:1", "close a:1", "open a:1"]);
});

test("use postpones, and an open connection prevents, that a channel counts as idle", () => {
  const { all, transport, clock } = channels();
  const used = all.lease(settingsOf());
  used.channel(0);
  const busy = all.lease(settingsOf({ address: "b:1" }));
  transport.script("b:1", stuck);
  void busy.channel(0).send(tryOf());
  expect(busy.connections()).toBe(1);
  clock.tick(IDLE_MS - 1);
  used.channel(clock.now());
  clock.tick(IDLE_MS - 1);
  all.sweep(everything);
  expect(transport.events).toEqual(["open a:1", "open b:1"]);
});

test("close waits for what is in flight", async () => {
  const { all, transport, clock } = channels();
  transport.script("a:1", stuck);
  const request = tryOf();
  const sent = all.lease(settingsOf()).channel(0).send(request);
  all.lease(settingsOf({ address: "b:1" })).channel(0);
  let isClosed = false;
  const closed = all.close().then(() => {
    isClosed = true;
  });
  await clock.advance(0);
  expect(isClosed).toBe(false);
  request.cancel.cancel(new Error("over"));
  await expect(sent).rejects.toThrow("over");
  await closed;
  expect(new Set(transport.events.slice(2))).toEqual(new Set(["close a:1", "close b:1"]));
});

test("destroy cuts what is in flight, also on channels that were closing", async () => {
  const { all, transport } = channels();
  transport.script("a:1", stuck);
  transport.script("b:1", stuck);
  const one = all.lease(settingsOf()).channel(0).send(tryOf());
  const other = all
    .lease(settingsOf({ address: "b:1" }))
    .channel(0)
    .send(tryOf());
  void all.close();
  all.destroy(new Error("the mesh was closed"));
  await expect(one).rejects.toMatchObject({ kind: "reset" });
  await expect(other).rejects.toMatchObject({ kind: "reset" });
});

test("nothing is opened once everything was destroyed: a lease that is left refuses", async () => {
  const { all, transport } = channels();
  const lease = all.lease(settingsOf());
  all.destroy(new Error("the mesh was closed"));
  await expect(lease.channel(0).send(tryOf())).rejects.toMatchObject({ code: "closed" });
  expect(transport.events).toEqual([]);
});

test("a new connect timeout is the open channel's too, and costs no connection", () => {
  const { all, transport } = channels();
  const seen: ChannelSettings[] = [];
  const open = transport.open.bind(transport);
  Object.assign(transport, {
    open: (settings: ChannelSettings) => {
      seen.push(settings);
      return open(settings);
    },
  });
  const before = all.lease(settingsOf({ connectTimeoutMs: 2_000 })).channel(0);
  expect(all.lease(settingsOf({ connectTimeoutMs: 500 })).channel(0)).toBe(before);
  expect(seen.map(({ connectTimeoutMs }) => connectTimeoutMs)).toEqual([500]);
});
