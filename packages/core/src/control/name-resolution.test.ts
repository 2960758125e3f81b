import { expect, test } from "vitest";
import { type FakeResolve, fakeResolve } from "../../../testing/src/fake-resolve.ts";
import { virtualClock } from "../../../testing/src/virtual-clock.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";
import { loadDocument } from "./document/load.ts";
import { NameResolution } from "./name-resolution.ts";
import { Problems } from "./problems.ts";

const HOST = "reviews.internal";

interface Given {
  readonly address: string;
  readonly weight?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A snapshot with one service, and one more whose endpoint is no name. */
function snapshotOf(endpoints: readonly Given[]): MeshSnapshot {
  const services = { reviews: {}, other: { endpoints: [{ address: "127.0.0.1:1" }] } };
  const { snapshot } = loadDocument({ apiVersion: "heddle/v1", services }, "test");
  if (!snapshot) throw new Error("the document is good");
  const plain = { weight: 1, labels: {}, locality: null, priority: 0, health: "unknown", uid: "" } as const;
  const set = { name: "reviews", origin: "test", endpoints: endpoints.map((given) => ({ ...plain, ...given })) };
  return { ...snapshot, endpointSets: new Map([...snapshot.endpointSets, ["reviews", set]]) };
}

function resolution(resolve: FakeResolve) {
  const clock = virtualClock();
  const told: MeshSnapshot[] = [];
  const messages: string[] = [];
  const problems = new Problems(({ where, message }) => messages.push(`${where}: ${message}`));
  const names = new NameResolution({ clock, random: () => 0, resolve, problems, resolved: (snapshot) => told.push(snapshot) });
  return {
    clock,
    names,
    told,
    messages,
    follow: (...endpoints: readonly Given[]) => names.follow(snapshotOf(endpoints)),
    /** What every snapshot told so far had for the service. */
    addresses: () => told.map(({ endpointSets }) => endpointSets.get("reviews")?.endpoints.map(({ address }) => address)),
  };
}

test("every answer is an endpoint of its own, IPv6 in brackets, with labels and weight of the name", async () => {
  const resolve = fakeResolve();
  resolve.set(HOST, ["10.0.0.2", "fd00::1", "10.0.0.1"]);
  const { follow, told, clock, names } = resolution(resolve);
  follow({ address: "127.0.0.1:9" }, { address: `dns:${HOST}:9080`, weight: 7, labels: { version: "v1" } });
  await clock.settle();
  expect(told).toHaveLength(1);
  expect(told[0]?.endpointSets.get("reviews")?.endpoints).toMatchObject([
    { address: "127.0.0.1:9", weight: 1 },
    { address: "10.0.0.1:9080", weight: 7, labels: { version: "v1" } },
    { address: "10.0.0.2:9080", weight: 7, labels: { version: "v1" } },
    { address: "[fd00::1]:9080", weight: 7, labels: { version: "v1" } },
  ]);
  names.close();
});

test("a snapshot without names is told at once, and costs no timer", () => {
  const { follow, told, clock } = resolution(fakeResolve());
  follow({ address: "127.0.0.1:9" });
  expect(told).toHaveLength(1);
  expect(clock.pendingTimers).toBe(0);
});

test.each([
  [0, 1_000],
  [5, 5_000],
  [86_400, 60_000],
  [null, 30_000],
])("an answer with a TTL of %s s is asked for again after %s ms", async (ttlSeconds, ms) => {
  const resolve = fakeResolve();
  resolve.set(HOST, ["10.0.0.1"], ttlSeconds);
  const { follow, clock, names, addresses } = resolution(resolve);
  follow({ address: `dns:${HOST}:80` });
  await clock.advance(ms - 1);
  resolve.set(HOST, ["10.0.0.2"], ttlSeconds);
  expect(resolve.lookups).toHaveLength(1);
  await clock.advance(1);
  expect(resolve.lookups).toHaveLength(2);
  expect(addresses()).toEqual([["10.0.0.1:80"], ["10.0.0.2:80"]]);
  names.close();
  expect(clock.pendingTimers).toBe(0);
});

test("the same answers in another order are no change, and unchanged sets stay the same object", async () => {
  const resolve = fakeResolve();
  resolve.set(HOST, ["10.0.0.1", "10.0.0.2"], 1);
  const { follow, clock, names, told } = resolution(resolve);
  follow({ address: `dns:${HOST}:80` });
  await clock.advance("500ms");
  resolve.set(HOST, ["10.0.0.2", "10.0.0.1"], 1);
  await clock.advance("5s");
  expect(told).toHaveLength(1);
  resolve.set(HOST, ["10.0.0.3"], 1);
  await clock.advance("2s");
  expect(told).toHaveLength(2);
  expect(told[1]?.endpointSets.get("other")).toBe(told[0]?.endpointSets.get("other"));
  names.close();
});

test("a failing lookup keeps what is known, is reported once while it lasts, and is tried again ever more rarely", async () => {
  const resolve = fakeResolve();
  resolve.set(HOST, ["10.0.0.1"], 1);
  const { follow, clock, names, addresses, messages } = resolution(resolve);
  follow({ address: `dns:${HOST}:80` });
  await clock.advance("500ms");
  resolve.fail(HOST, "queryA ESERVFAIL reviews.internal");
  await clock.advance("3m");
  expect(addresses()).toEqual([["10.0.0.1:80"]]);
  expect(messages).toEqual([
    `dns:${HOST}:80: the name cannot be resolved: queryA ESERVFAIL reviews.internal; what it resolved to last stays in use`,
  ]);
  // 1 s of TTL, then half of 1, 2, 4, 8, 16, 30, 30, ... s.
  expect(resolve.lookups.length).toBeGreaterThan(10);
  expect(resolve.lookups.length).toBeLessThan(18);
  resolve.set(HOST, ["10.0.0.2"], 60);
  await clock.advance("30s");
  expect(addresses().at(-1)).toEqual(["10.0.0.2:80"]);
  resolve.fail(HOST, "gone again");
  await clock.advance("2m");
  expect(messages).toHaveLength(2);
  names.close();
});

test("a new configuration waits for the first answer of its names, but not for one that does not come", async () => {
  const resolve = fakeResolve();
  resolve.hang(HOST);
  const { follow, clock, names, addresses, messages } = resolution(resolve);
  follow({ address: "127.0.0.1:9" });
  follow({ address: "127.0.0.1:9" }, { address: `dns:${HOST}:80` });
  await clock.advance(1_999);
  expect(addresses()).toEqual([["127.0.0.1:9"]]);
  await clock.advance(1);
  expect(addresses()).toHaveLength(2);
  expect(messages).toEqual([]);
  await clock.advance("9s");
  expect(messages).toEqual([expect.stringContaining("no answer within 10 s; it stands for no endpoint until it can be")]);
  names.close();
  expect(clock.pendingTimers).toBe(0);
});

test("a name that was resolved before holds no further configuration up, and one that is gone is not asked for again", async () => {
  const resolve = fakeResolve();
  resolve.set(HOST, ["10.0.0.1"], 1);
  const { follow, clock, names, addresses } = resolution(resolve);
  follow({ address: `dns:${HOST}:80` });
  await clock.settle();
  follow({ address: `dns:${HOST}:80` }, { address: "127.0.0.1:9" });
  expect(addresses().at(-1)).toEqual(["10.0.0.1:80", "127.0.0.1:9"]);
  follow({ address: "127.0.0.1:9" });
  const before = resolve.lookups.length;
  await clock.advance("5m");
  expect(resolve.lookups).toHaveLength(before);
  expect(clock.pendingTimers).toBe(0);
  names.close();
});

test("SRV gives port and weight, and of its records those of the lowest priority", async () => {
  const resolve = fakeResolve();
  const name = "_http._tcp.reviews.internal";
  resolve.setServices(name, [
    { host: "a", port: 1, priority: 10, weight: 3 },
    { host: "b", port: 2, priority: 10, weight: 0 },
    { host: "spare", port: 3, priority: 20, weight: 9 },
    { host: "dead", port: 4, priority: 10 },
    { host: "nowhere", port: 0, priority: 1 },
  ]);
  resolve.set("nowhere", ["10.0.0.8"]);
  resolve.set("spare", ["10.0.0.9"]);
  resolve.set("a", ["10.0.0.1"]);
  resolve.set("b", ["10.0.0.2", "10.0.0.3"]);
  const { follow, clock, names, told, messages } = resolution(resolve);
  follow({ address: `dns:${name}`, weight: 2 });
  await clock.settle();
  expect(told[0]?.endpointSets.get("reviews")?.endpoints.map(({ address, weight }) => ({ address, weight }))).toEqual([
    { address: "10.0.0.1:1", weight: 6 },
    { address: "10.0.0.2:2", weight: 2 },
    { address: "10.0.0.3:2", weight: 2 },
  ]);
  expect(messages).toEqual([]);
  names.close();
});

test("an address that is listed and resolved to counts once", async () => {
  const resolve = fakeResolve();
  resolve.set(HOST, ["10.0.0.1"]);
  const { follow, clock, names, addresses } = resolution(resolve);
  follow({ address: "10.0.0.1:80" }, { address: `dns:${HOST}:80` });
  await clock.settle();
  expect(addresses()).toEqual([["10.0.0.1:80"]]);
  names.close();
});
