import { expect, test } from "vitest";
import { backendOf, endpointSetOf, inboundPolicyOf, routeOf, snapshotOf, to, virtualHostOf } from "../../test/builders.ts";
import { SnapshotStore } from "./snapshot-store.ts";

const two = () => ({
  virtualHosts: [virtualHostOf({ name: "reviews" }), virtualHostOf({ name: "ratings" })],
  backends: [backendOf(), backendOf({ name: "ratings" })],
  endpointSets: [endpointSetOf("reviews", ["a:1"]), endpointSetOf("ratings", ["b:1"])],
  inboundPolicies: [inboundPolicyOf("reviews"), inboundPolicyOf("ratings")],
});

test("begins with nothing, as revision 0", () => {
  const store = new SnapshotStore();
  expect(store.revision).toBe(0);
  expect(store.current.virtualHosts).toEqual([]);
});

test("takes a valid snapshot into force, and counts", () => {
  const store = new SnapshotStore();
  expect(store.accept(snapshotOf({ egress: "deny" }))).toEqual([]);
  expect(store.current.egress).toBe("deny");
  expect(store.revision).toBe(1);
});

test("an equal snapshot keeps the identity of every part", () => {
  const store = new SnapshotStore();
  store.accept(snapshotOf(two()));
  const before = store.current;
  store.accept(snapshotOf(two()));
  for (const [index, virtualHost] of before.virtualHosts.entries()) expect(store.current.virtualHosts[index]).toBe(virtualHost);
  for (const name of ["reviews", "ratings"]) {
    expect(store.current.backends.get(name)).toBe(before.backends.get(name));
    expect(store.current.endpointSets.get(name)).toBe(before.endpointSets.get(name));
    expect(store.current.inboundPolicies.get(name)).toBe(before.inboundPolicies.get(name));
  }
});

test("a change of one part replaces that part alone, wherever it stands now", () => {
  const store = new SnapshotStore();
  store.accept(snapshotOf(two()));
  const before = store.current;
  const change = two();
  store.accept(
    snapshotOf({
      ...change,
      virtualHosts: [virtualHostOf({ name: "ratings" }), virtualHostOf({ name: "reviews", routes: [routeOf({ name: "new" })] })],
      endpointSets: [endpointSetOf("ratings", ["b:1"]), endpointSetOf("reviews", ["a:1", "c:1"])],
    }),
  );
  const now = store.current;
  expect(now.virtualHosts[0]).toBe(before.virtualHosts[1]);
  expect(now.virtualHosts[1]).not.toBe(before.virtualHosts[0]);
  expect(now.endpointSets.get("ratings")).toBe(before.endpointSets.get("ratings"));
  expect(now.endpointSets.get("reviews")?.endpoints).toHaveLength(2);
  expect(now.backends.get("reviews")).toBe(before.backends.get("reviews"));
});

test("what a snapshot no longer has is gone", () => {
  const store = new SnapshotStore();
  store.accept(snapshotOf(two()));
  store.accept(snapshotOf());
  expect([...store.current.backends.keys()]).toEqual(["reviews"]);
  expect(store.current.virtualHosts).toHaveLength(1);
});

test("a snapshot with a problem leaves the old one in force", () => {
  const store = new SnapshotStore();
  store.accept(snapshotOf());
  const before = store.current;
  const bad = snapshotOf({
    virtualHosts: [virtualHostOf({ routes: [routeOf({ action: { kind: "forward", to: [to("nowhere")], rewrite: null } })] })],
  });
  expect(store.accept(bad)).toMatchObject([{ severity: "error" }]);
  expect(store.current).toBe(before);
  expect(store.revision).toBe(1);
});
