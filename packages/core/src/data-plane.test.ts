import { expect, test } from "vitest";
import {
  backendOf,
  endpointOf,
  endpointSetOf,
  pathMatchOf,
  retryOf,
  routeMatchOf,
  routeOf,
  type SnapshotParts,
  snapshotOf,
  timeoutOf,
  to,
  virtualHostOf,
} from "../test/builders.ts";
import { status, streams } from "../test/fake-transport.ts";
import { type OutboundStack, outboundStack } from "../test/outbound-stack.ts";
import { SnapshotStore } from "./control/snapshot-store.ts";
import type { Route } from "./model/route.ts";
import { PushBody } from "./push-body.ts";

/** A stack that is updated through a store, as the mesh does it. */
function stored(parts: SnapshotParts) {
  const store = new SnapshotStore();
  expect(store.accept(snapshotOf(parts))).toEqual([]);
  const stack = outboundStack(store.current);
  const update = (next: SnapshotParts) => {
    expect(store.accept(snapshotOf(next))).toEqual([]);
    stack.dataPlane.update(store.current);
  };
  return { ...stack, update };
}

const closings = (stack: OutboundStack) => stack.transport.events.filter((event) => !event.startsWith("open"));

async function useAll(stack: OutboundStack, requests = 12): Promise<void> {
  for (let count = 0; count < requests; count++) await stack.send().response;
}

const BASE = { endpointSets: [endpointSetOf("reviews", ["a:1", "b:1"])] };
const forward = (...backends: ReturnType<typeof to>[]): Route["action"] => ({ kind: "forward", to: backends, rewrite: null });

test.each<[string, SnapshotParts, SnapshotParts]>([
  [
    "weights of the split",
    { ...BASE, backends: [backendOf(), backendOf({ name: "v2", endpointSet: "reviews" })], virtualHosts: [split(90, 10)] },
    { ...BASE, backends: [backendOf(), backendOf({ name: "v2", endpointSet: "reviews" })], virtualHosts: [split(50, 50)] },
  ],
  [
    "timeouts and retry",
    BASE,
    { ...BASE, virtualHosts: [virtualHostOf({ routes: [routeOf({ timeout: timeoutOf({ totalMs: 1_000 }), retry: retryOf() })] })] },
  ],
  [
    "a route",
    BASE,
    {
      ...BASE,
      virtualHosts: [
        virtualHostOf({ routes: [routeOf({ name: "new", match: routeMatchOf({ path: pathMatchOf({ value: "/new" }) }) }), routeOf()] }),
      ],
    },
  ],
  ["an endpoint", BASE, { endpointSets: [endpointSetOf("reviews", ["a:1", "b:1", "c:1"])] }],
  [
    "labels and weights of endpoints",
    BASE,
    { endpointSets: [endpointSetOf("reviews", [endpointOf("a:1", { labels: { v: "2" } }), endpointOf("b:1", { weight: 7 })])] },
  ],
  ["the balancer", BASE, { ...BASE, backends: [backendOf({ balancer: { policy: "peak-ewma" } })] }],
  ["breaker, budget and outlier detection", BASE, { ...BASE, backends: [backendOf({ retryBudget: { percent: 1, minPerSecond: 0 } })] }],
])("a change of %s, and its undoing, closes no channel", async (_, before, after) => {
  const stack = stored(before);
  await useAll(stack);
  const open = stack.transport.events.length;
  for (let round = 0; round < 3; round++) {
    stack.update(after);
    await useAll(stack);
    stack.update(before);
    await useAll(stack);
    stack.dataPlane.sweep();
  }
  expect(closings(stack).filter((event) => !event.endsWith("c:1"))).toEqual([]);
  expect(stack.transport.events.filter((event) => event.startsWith("open") && !event.endsWith("c:1"))).toHaveLength(open);
});

function split(one: number, other: number) {
  return virtualHostOf({ routes: [routeOf({ action: forward(to("reviews", one), to("v2", other)) })] });
}

test("an endpoint that leaves loses its channel once nothing is in flight, and no other does", async () => {
  const stack = stored(BASE);
  await useAll(stack);
  stack.update({ endpointSets: [endpointSetOf("reviews", ["a:1"])] });
  expect(closings(stack)).toEqual(["close b:1"]);
  await useAll(stack);
  expect(stack.transport.sent.slice(-12).every(({ address }) => address === "a:1")).toBe(true);
});

test("an endpoint that nothing used for 5 minutes holds no channel, keeps its state, and opens one at the next use", async () => {
  const stack = stored(BASE);
  await useAll(stack);
  const states = () => stack.dataPlane.backendState("reviews").endpoints.all;
  const before = states();
  stack.clock.tick(5 * 60_000 - 1);
  stack.dataPlane.sweep();
  expect(states().map(({ lease }) => lease === null)).toEqual([false, false]);
  expect(closings(stack)).toEqual([]);
  stack.clock.tick(1);
  stack.dataPlane.sweep();
  expect(states().map(({ lease }) => lease === null)).toEqual([true, true]);
  expect(closings(stack).sort()).toEqual(["close a:1", "close b:1"]);
  await useAll(stack);
  expect(states()).toBe(before);
  expect(before.map(({ requests }) => requests)).toEqual([12, 12]);
  expect(stack.transport.events.filter((event) => event.startsWith("open"))).toHaveLength(4);
});

test("an endpoint that moves from one subset to another keeps its channel", async () => {
  const subsets = (v1: string, v2: string): SnapshotParts => ({
    backends: [
      backendOf({ name: "v1", endpointSet: "reviews", selector: { v: "1" } }),
      backendOf({ name: "v2", endpointSet: "reviews", selector: { v: "2" } }),
    ],
    virtualHosts: [virtualHostOf({ routes: [routeOf({ action: forward(to("v1"), to("v2")) })] })],
    endpointSets: [endpointSetOf("reviews", [endpointOf("a:1", { labels: { v: v1 } }), endpointOf("b:1", { labels: { v: v2 } })])],
  });
  const stack = stored(subsets("1", "2"));
  await useAll(stack, 30);
  stack.update(subsets("2", "1"));
  await useAll(stack, 30);
  stack.dataPlane.sweep();
  expect(stack.transport.events).toHaveLength(2);
});

test("what is known of an endpoint survives any change that keeps it", async () => {
  const stack = stored(BASE);
  stack.transport.script("a:1", status(503));
  await useAll(stack);
  const before = stack.dataPlane.backendState("reviews").endpoints.all[0];
  stack.update({ endpointSets: [endpointSetOf("reviews", ["c:1", "a:1"])], backends: [backendOf({ balancer: { policy: "peak-ewma" } })] });
  expect(stack.dataPlane.backendState("reviews").endpoints.all[1]).toBe(before);
  expect(before?.requests).toBe(6);
});

test("only the stacks of what changed are made anew", () => {
  const parts = (name: string): SnapshotParts => ({
    virtualHosts: [virtualHostOf(), virtualHostOf({ name: "ratings", routes: [routeOf({ name, action: forward(to("ratings")) })] })],
    backends: [backendOf(), backendOf({ name: "ratings" })],
    endpointSets: [endpointSetOf("reviews", ["a:1"]), endpointSetOf("ratings", ["b:1"])],
  });
  const stack = stored(parts("one"));
  const reviews = stack.dataPlane.handler("reviews");
  const ratings = stack.dataPlane.handler("ratings");
  stack.update(parts("two"));
  expect(stack.dataPlane.handler("reviews")).toBe(reviews);
  expect(stack.dataPlane.handler("ratings")).not.toBe(ratings);
});

test("a change of a backend's settings reaches the next request", async () => {
  const stack = stored(BASE);
  stack.transport.script("a:1", streams(new PushBody(null)));
  stack.transport.script("b:1", streams(new PushBody(null)));
  await stack.send().response;
  stack.update({ ...BASE, backends: [backendOf({ limits: { maxConnections: 100, maxPending: 1_000, maxRequests: 1 } })] });
  await stack.send().response;
  await expect(stack.send().response).rejects.toMatchObject({ code: "overloaded" });
});

test("requests in flight finish, also when their backend leaves the configuration", async () => {
  const stack = stored(BASE);
  const body = new PushBody(null);
  stack.transport.script("a:1", streams(body));
  stack.transport.script("b:1", streams(body));
  const handler = stack.dataPlane.handler("reviews");
  const response = await stack.send().response;
  stack.update({ virtualHosts: [], backends: [], endpointSets: [] });
  expect(stack.dataPlane.handler("reviews")).toBe(null);
  expect(closings(stack)).toHaveLength(1);
  let text = "";
  response.body.attach({ data: (chunk) => (text += Buffer.from(chunk)), end: () => (text += "!"), fail() {} });
  body.push(Buffer.from("whole"));
  body.end(null);
  expect(text).toBe("whole!");
  expect(handler).not.toBe(null);
});

test("a retry that is waiting when an endpoint leaves goes to one that is there", async () => {
  const slow = {
    ...BASE,
    virtualHosts: [virtualHostOf({ routes: [routeOf({ retry: retryOf({ backoff: { baseMs: 100, maxMs: 100 } }) })] })],
  };
  const stack = stored(slow);
  stack.transport.script("a:1", status(503));
  stack.transport.script("b:1", status(503));
  const { response } = stack.send();
  await stack.clock.advance(0);
  stack.update({ ...slow, endpointSets: [endpointSetOf("reviews", ["c:1"])] });
  await stack.clock.advance(100);
  expect((await response).status).toBe(200);
  expect(stack.transport.sent.at(-1)?.address).toBe("c:1");
});

test("a virtual host is found again however often authorities that nobody claims were asked for", () => {
  const stack = stored(BASE);
  const handler = stack.dataPlane.handler("reviews:80");
  for (let number = 0; number < 20_001; number++) expect(stack.dataPlane.handler(`unknown-${number}`)).toBe(null);
  expect(stack.dataPlane.handler("reviews:80")).toBe(handler);
  expect(stack.dataPlane.handler("REVIEWS")).toBe(handler);
});
