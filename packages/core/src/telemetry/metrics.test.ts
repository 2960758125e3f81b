import { expect, test } from "vitest";
import { answering, failing, requestWith, settableClock, tried } from "../../../../test/telemetry/fake-exchange.ts";
import { MeshError } from "../errors.ts";
import type { MeshRequest } from "../message.ts";
import { createMetrics, LATENCY_BOUNDS_MS, MAX_CELLS } from "./metrics.ts";

function routed(route = "default", endpoint: string | null = "127.0.0.1:9081"): MeshRequest {
  const request = requestWith();
  request.context.service = "reviews";
  request.context.route = route;
  if (endpoint !== null) tried(request, { endpoint });
  return request;
}

function fixture() {
  const clock = settableClock();
  const warnings: string[] = [];
  return { clock, warnings, metrics: createMetrics(clock, (message) => warnings.push(message)) };
}

test("counts a request once its body has ended, under its status", async () => {
  const { metrics } = fixture();
  const { handler, body } = answering(503);
  await metrics.layer("outbound")(handler)(routed());
  expect(metrics.counts()).toEqual([]);
  body.end(null);
  expect(metrics.counts()).toEqual([
    { direction: "outbound", service: "reviews", route: "default", endpoint: "127.0.0.1:9081", outcome: "503", count: 1, attempts: 1 },
  ]);
});

test("counts a body that failed as its failure, not as its status", async () => {
  const { metrics } = fixture();
  const { handler, body } = answering(200);
  await metrics.layer("outbound")(handler)(routed());
  body.fail(new MeshError("connection_reset", "broken"));
  expect(metrics.counts().map((cell) => cell.outcome)).toEqual(["connection_reset"]);
});

test("counts a refused request under its code, with the endpoint of the last try and all tries", async () => {
  const { metrics } = fixture();
  const refused = routed("default", null);
  await metrics
    .layer("outbound")(failing(new MeshError("breaker_open", "open")))(refused)
    .catch(() => {});
  const retried = routed();
  tried(retried, { endpoint: "127.0.0.1:9082" });
  await metrics
    .layer("outbound")(failing(new MeshError("connect_failed", "down")))(retried)
    .catch(() => {});
  expect(metrics.counts().map(({ endpoint, outcome, attempts }) => [endpoint, outcome, attempts])).toEqual([
    ["", "breaker_open", 0],
    ["127.0.0.1:9082", "connect_failed", 2],
  ]);
});

test("keeps directions, routes, endpoints and outcomes apart and adds up the same", async () => {
  const { metrics } = fixture();
  const send = (status: number, request: MeshRequest, direction: "outbound" | "inbound" = "outbound") => {
    const { handler, body } = answering(status);
    body.end(null);
    return metrics.layer(direction)(handler)(request);
  };
  await send(200, routed());
  await send(200, routed());
  await send(404, routed());
  await send(200, routed("canary"));
  await send(200, routed("default", "127.0.0.1:9082"));
  await send(200, routed(), "inbound");
  expect(metrics.counts().map((cell) => cell.count)).toEqual([2, 1, 1, 1, 1]);
  expect(new Set(metrics.counts().map(({ count, attempts, ...key }) => JSON.stringify(key))).size).toBe(5);
});

test("measures latency by route until the end of the body, bounds included", async () => {
  const { metrics, clock } = fixture();
  for (const elapsedMs of [0, 5, 5.001, 10_000, 10_001]) {
    const { handler, body } = answering(200);
    clock.nowMs = 0;
    await metrics.layer("outbound")(handler)(routed());
    clock.nowMs = elapsedMs;
    body.end(null);
  }
  const [latency] = metrics.latencies();
  expect(metrics.latencies()).toHaveLength(1);
  expect(latency?.sumMs).toBeCloseTo(20_011.001);
  const buckets = new Array(LATENCY_BOUNDS_MS.length + 1).fill(0);
  buckets[0] = 2;
  buckets[1] = 1;
  buckets[LATENCY_BOUNDS_MS.length - 1] = 1;
  buckets[LATENCY_BOUNDS_MS.length] = 1;
  expect(latency?.buckets).toEqual(buckets);
});

test("counts new combinations as other once all cells are taken, says so once, and goes on counting the known ones", async () => {
  const { metrics, warnings } = fixture();
  const { handler, body } = answering(200);
  body.end(null);
  const send = metrics.layer("outbound")(handler);
  for (let n = 0; n < MAX_CELLS + 3; n++) await send(routed(`route-${n}`));
  await send(routed("route-0"));
  const counts = metrics.counts();
  expect(counts).toHaveLength(MAX_CELLS + 1);
  expect(counts[0]).toMatchObject({ route: "route-0", count: 2 });
  expect(counts.at(-1)).toEqual({
    direction: "outbound",
    service: "other",
    route: "other",
    endpoint: "other",
    outcome: "other",
    count: 3,
    attempts: 3,
  });
  expect(warnings).toHaveLength(1);
});

test("where half of the room is in use, what is gone is added up, and what comes is counted by its name", async () => {
  const { metrics, warnings } = fixture();
  const layer = metrics.layer("outbound");
  const rollouts = 25;
  const endpoints = 500;
  for (let rollout = 0; rollout < rollouts; rollout++) {
    const address = (index: number) => `10.0.${rollout}.${index}:80`;
    metrics.fold({ hasService: () => true, hasEndpoint: (known) => known.startsWith(`10.0.${rollout}.`) });
    for (let index = 0; index < endpoints; index++) {
      const { handler, body } = answering(index % 2 === 0 ? 200 : 503);
      await layer(handler)(routed("default", address(index)));
      body.end(null);
    }
  }
  const counts = metrics.counts();
  const gone = counts.filter(({ endpoint }) => endpoint === "gone");
  const named = counts.filter(({ endpoint }) => endpoint.startsWith(`10.0.${rollouts - 1}.`));
  expect(warnings).toEqual([]);
  expect(counts.length).toBeLessThanOrEqual(MAX_CELLS / 2 + endpoints);
  expect(named.map(({ count }) => count)).toEqual(Array.from({ length: endpoints }, () => 1));
  expect(gone.map(({ outcome }) => outcome)).toEqual(["200", "503"]);
  expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(rollouts * endpoints);
  expect(counts.reduce((sum, { attempts }) => sum + attempts, 0)).toBe(rollouts * endpoints);
  expect(metrics.latencies().map(({ buckets }) => buckets.reduce((sum, count) => sum + count, 0))).toEqual([rollouts * endpoints]);
});

test("requests and latencies of a service that is gone are added to those of `other`; below half of the room nothing is", async () => {
  const { metrics } = fixture();
  const layer = metrics.layer("outbound");
  const present = { hasService: (name: string) => name === "stays", hasEndpoint: () => true };
  const send = async (service: string) => {
    const { handler, body } = answering(200);
    const request = routed();
    request.context.service = service;
    await layer(handler)(request);
    body.end(null);
  };
  await send("stays");
  for (let index = 0; index < MAX_CELLS / 2 - 2; index++) await send(`gone-${index}`);
  metrics.fold(present);
  expect(metrics.counts()).toHaveLength(MAX_CELLS / 2 - 1);
  await send("gone-last");
  metrics.fold(present);
  expect(metrics.counts().map(({ service, count }) => ({ service, count }))).toEqual([
    { service: "stays", count: 1 },
    { service: "other", count: MAX_CELLS / 2 - 1 },
  ]);
  const totals = metrics.latencies().map(({ service, buckets }) => [service, buckets.reduce((sum, count) => sum + count, 0)]);
  expect(totals).toEqual([
    ["stays", 1],
    ["other", MAX_CELLS / 2 - 1],
  ]);
  await send("stays");
  expect(metrics.counts()[0]?.count).toBe(2);
});
