import { seededRandom } from "@heddle/core";
import type { JoinedMesh } from "heddle";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { PeakEwma } from "../../../packages/core/src/balance/peak-ewma.ts";
import { EndpointState } from "../../../packages/core/src/endpoint/endpoint.ts";
import type { Endpoint } from "../../../packages/core/src/model/endpoint-set.ts";
import { inFlight, join } from "../../front-doors/setup.ts";
import { http } from "../../live/http.ts";
import { ServerProcess } from "../../live/server-process.ts";

const NO_FACTS = { address: "", locality: null, priority: 0, weight: 1, health: "unknown", labels: {}, uid: "" } as unknown as Endpoint;
const BLOCKED_MS = 2_000;
const SERVERS = 4;
/** What is waited for takes a tenth of it where nobody else wants the processors. */
const WITHIN = { timeout: 15_000 };
vi.setConfig({ testTimeout: 60_000 });

let servers: ServerProcess[];
let addresses: readonly string[];

beforeAll(async () => {
  servers = await Promise.all(Array.from({ length: SERVERS }, () => ServerProcess.start()));
  addresses = servers.map(({ address }) => address);
});

afterAll(() => {
  for (const server of servers) server[Symbol.dispose]();
});

/**
 * As the application's own code does: nothing of this process runs meanwhile. The endpoints go on, in processes of their own. Right
 * before timers are looked at again, and so before the answers that wait in the sockets: the worst moment.
 */
async function blockEventLoop(): Promise<void> {
  await new Promise(setImmediate);
  block();
}

function block(): void {
  const endsAt = performance.now() + BLOCKED_MS;
  while (performance.now() < endsAt);
}

const SENSITIVE = { outlier: { consecutiveFailures: 2 }, breaker: { consecutiveFailures: 3 } };

function verdicts(mesh: JoinedMesh): readonly string[] {
  return mesh
    .inspect()
    .backends.flatMap(({ breaker, endpoints }) => [breaker, ...endpoints.map(({ state, failures }) => `${state} ${failures}`)]);
}

const SPOTLESS = ["closed", ...Array.from({ length: SERVERS }, () => "ready 0")];

test.each([
  { limit: "a deadline", reviews: { timeout: "500ms" } },
  { limit: "a limit of each try", reviews: { retry: { perTryTimeout: "500ms", maxRetries: 0 } } },
])(
  "an event loop blocked for longer than $limit ends what is under way, says whose fault it was, and blames no endpoint",
  async ({ reviews }) => {
    const mesh = await join(addresses, { reviews: { ...reviews, ...SENSITIVE } });
    const traffic = http.start(mesh, "reviews", { posts: false });
    await expect.poll(() => traffic.requests, WITHIN).toBeGreaterThan(200);
    expect(inFlight(mesh)).toBe(32);
    await blockEventLoop();
    await expect.poll(() => traffic.requests, WITHIN).toBeGreaterThan(1_000);
    await traffic.stop();
    expect(verdicts(mesh)).toEqual(SPOTLESS);
    const { failures } = traffic;
    expect(failures).toContainEqual(expect.stringMatching(/noticed [\d.]+m?s late, because the event loop of this process was blocked/));
    // A crowded machine may hold this process up again, and for less than a whole limit: that is said in other words.
    for (const failure of failures) expect(failure).toMatch(/within 500ms; .*the event loop of this process was blocked/);
    expect(failures.length).toBeLessThan(traffic.requests / 2);
    expect(inFlight(mesh)).toBe(0);
  },
);

test("connections that were being made while the event loop was blocked are taken", async () => {
  const mesh = await join(addresses, { reviews: { connectTimeout: "200ms", ...SENSITIVE } });
  await new Promise(setImmediate);
  const traffic = http.start(mesh, "reviews", { posts: true });
  // Until the connections are under way, and before any of them can stand.
  for (let turn = 0; turn < 20; turn++) await null;
  block();
  await expect.poll(() => traffic.requests, WITHIN).toBeGreaterThan(200);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(verdicts(mesh)).toEqual(SPOTLESS);
});

test("without limits a blocked event loop fails nothing, and the endpoints are picked evenly again within seconds", async () => {
  const mesh = await join(addresses, { reviews: SENSITIVE });
  const traffic = http.start(mesh, "reviews", { posts: true });
  await expect.poll(() => traffic.requests, WITHIN).toBeGreaterThan(200);
  await blockEventLoop();
  const served = () => mesh.inspect().backends.flatMap(({ endpoints }) => endpoints.map(({ requests }) => requests));
  // Of so many requests. An endpoint that is short of processor time gets less for that long, and rightly so.
  const leastShare = async (): Promise<number> => {
    const [before, begun] = [served(), traffic.requests];
    await expect.poll(() => traffic.requests - begun, WITHIN).toBeGreaterThan(400);
    const shares = served().map((requests, index) => requests - (before[index] ?? 0));
    return Math.min(...shares) / shares.reduce((total, share) => total + share, 0);
  };
  await expect.poll(leastShare, WITHIN).toBeGreaterThan(0.5 / SERVERS);
  await traffic.stop();
  expect(traffic.failures).toEqual([]);
  expect(verdicts(mesh)).toEqual(SPOTLESS);
});

test("an endpoint that alone had a request under way, which then seemed to take 2 s, is left alone for at most 100 s", () => {
  const balancer = new PeakEwma(seededRandom(1));
  const [suspected, other] = ["a:1", "b:1"].map((address) => new EndpointState({ ...NO_FACTS, address }, 0)) as [
    EndpointState,
    EndpointState,
  ];
  for (let at = 0; at < 1_000; at += 10) for (const state of [suspected, other]) balancer.succeeded(state, 2, at);
  balancer.succeeded(suspected, BLOCKED_MS, 1_000);
  const costsNoMoreAfterMs = (inFlight: number): number => {
    other.inFlight = inFlight;
    for (let at = 1_000; ; at += 100) {
      balancer.succeeded(other, 2.1, at);
      if (balancer.cost(suspected, at) <= balancer.cost(other, at) * 1.1 || at > 200_000) return at - 1_000;
    }
  };
  // At 32 at once the other one's queue makes up for it sooner.
  expect(costsNoMoreAfterMs(31)).toBeLessThan(35_000);
  expect(costsNoMoreAfterMs(0)).toBeLessThan(100_000);
});
