import { type Clock, createMesh, type Mesh, type MeshError, meshError, type Timer } from "@heddle/core";
import { fakeTransport, virtualClock } from "@heddle/testing";
import { expect, onTestFinished, test, vi } from "vitest";
import { join, pause, serve } from "../../front-doors/setup.ts";

const HOUR_MS = 3_600_000;

/** The wall clock of this process jumps, back and forth, whenever told to. */
function wallClock(): { jump(ms: number): void } {
  const real = Date.now.bind(Date);
  let offset = 0;
  vi.spyOn(Date, "now").mockImplementation(() => real() + offset);
  onTestFinished(() => void vi.restoreAllMocks());
  return {
    jump: (ms) => {
      offset += ms;
    },
  };
}

const JUMPS = [-5 * HOUR_MS, 9 * HOUR_MS, -72 * HOUR_MS, 68 * HOUR_MS];
const codeOf = (call: Promise<unknown>) =>
  call.then(
    () => "answered",
    (error) => meshError(error)?.code ?? error,
  );

test("a wall clock that jumps by hours moves no deadline, ejection, breaker or budget, and logs say when and how long", async () => {
  const wall = wallClock();
  const hanging = await serve(() => {});
  const broken = await serve((_request, response) => void response.writeHead(500).end());
  const well = await serve((_request, response) => void response.end("ok"));
  const lines: { readonly durationMs?: number; readonly duration?: number }[] = [];
  const mesh = await join([broken.address, well.address], {
    reviews: { balancer: { policy: "round-robin" }, outlier: { consecutiveFailures: 2, baseEjection: "1h" } },
    services: {
      hanging: { endpoints: [{ address: hanging.address }], timeout: "150ms" },
      failing: { endpoints: [{ address: broken.address }], breaker: { consecutiveFailures: 2, openFor: "1h" } },
    },
    accessLog: { logger: { info: (line: object) => void lines.push(line) } },
  });
  for (let count = 0; count < 4; count++) await (await mesh.request("http://reviews/")).discard();
  for (let count = 0; count < 2; count++) await (await mesh.request("http://failing/")).discard();
  const states = () =>
    mesh.inspect().backends.map(({ breaker, endpoints, retryBudget }) => ({
      breaker,
      states: endpoints.map(({ state }) => state),
      budget: Math.floor(retryBudget.available),
    }));
  const before = states();
  expect(JSON.stringify(before)).toContain("ejected");
  expect(JSON.stringify(before)).toContain("open");
  for (const ms of JUMPS) {
    const startedAt = performance.now();
    const call = codeOf(mesh.request("http://hanging/"));
    await pause(20);
    wall.jump(ms);
    expect(await call).toBe("deadline_exceeded");
    const took = performance.now() - startedAt;
    expect(took).toBeGreaterThanOrEqual(149);
    expect(took).toBeLessThan(2_000);
    expect((await mesh.request("http://reviews/")).status).toBe(200);
    expect(await codeOf(mesh.request("http://failing/"))).toBe("breaker_open");
  }
  expect(
    states()
      .slice(0, 2)
      .map(({ breaker, states: each }) => ({ breaker, states: each })),
  ).toEqual(before.slice(0, 2).map(({ breaker, states: each }) => ({ breaker, states: each })));
  expect(lines.length).toBeGreaterThan(10);
  for (const line of lines) {
    const durations = Object.entries(line).filter(
      ([name]) => name.toLowerCase().includes("duration") || name.endsWith("Ms") || name.endsWith("_ms"),
    );
    expect(durations.length).toBeGreaterThan(0);
    for (const [name, value] of durations) {
      expect(Number(value), name).toBeGreaterThanOrEqual(0);
      expect(Number(value), name).toBeLessThan(10_000);
    }
  }
});

interface SleepyClock extends Clock {
  /** Time stands still, and then it is so much later: everything that was due meanwhile runs at once, late. */
  leap(ms: number): Promise<void>;
  advance(ms: number): Promise<void>;
}

/** Monotonic time of a machine that sleeps. */
function sleepyClock(): SleepyClock {
  const inner = virtualClock();
  const due = new Map<Timer, { readonly atMs: number; readonly callback: () => void; inner: Timer }>();
  let skipped = 0;
  const now = () => inner.now() + skipped;
  return {
    now,
    wallTime: () => inner.wallTime() + skipped,
    setTimer(delayMs, callback) {
      const timer = {};
      const run = () => {
        due.delete(timer);
        callback();
      };
      due.set(timer, { atMs: now() + delayMs, callback: run, inner: inner.setTimer(delayMs, run) });
      return timer;
    },
    clearTimer(timer) {
      const entry = due.get(timer);
      if (entry) inner.clearTimer(entry.inner);
      due.delete(timer);
    },
    advance: async (ms) => {
      await inner.advance(ms);
    },
    async leap(ms) {
      await inner.settle();
      skipped += ms;
      const late = [...due.values()].filter(({ atMs }) => atMs <= now()).sort((one, other) => one.atMs - other.atMs);
      for (const { callback, inner: timer } of late) {
        inner.clearTimer(timer);
        callback();
        await inner.settle();
      }
    },
  };
}

function meshOver(clock: SleepyClock, reviews: object): { readonly mesh: Mesh; readonly transport: ReturnType<typeof fakeTransport> } {
  const transport = fakeTransport({ clock });
  const endpoints = [{ address: "a:1" }, { address: "b:1" }];
  const mesh = createMesh({ clock, transport, config: { apiVersion: "heddle/v1", services: { reviews: { endpoints, ...reviews } } } });
  return { mesh, transport };
}

const send = (mesh: Mesh) =>
  mesh.send({ method: "GET", scheme: "http", authority: "reviews", path: "/", headers: {}, body: null } as never).then(
    ({ status }) => status,
    (error: MeshError) => error.code,
  );

test.each([
  { limit: "its deadline", reviews: { timeout: "5s" }, code: "deadline_exceeded" },
  { limit: "the time of its try", reviews: { retry: { perTryTimeout: "5s", maxRetries: 0 } }, code: "attempt_timeout" },
])("after a sleep of an hour what was under way ends once, at $limit, and no endpoint is blamed", async ({ reviews, code }) => {
  const clock = sleepyClock();
  const { mesh, transport } = meshOver(clock, { ...reviews, outlier: { consecutiveFailures: 1 }, breaker: { consecutiveFailures: 1 } });
  for (const address of ["a:1", "b:1"]) transport.endpoint(address).hang();
  const settled: unknown[] = [];
  const calls = Array.from({ length: 10 }, () => send(mesh).then((outcome) => settled.push(outcome)));
  await clock.advance(1_000);
  await clock.leap(HOUR_MS);
  await Promise.all(calls);
  expect(settled).toEqual(Array.from({ length: 10 }, () => code));
  await clock.leap(HOUR_MS);
  expect(settled).toHaveLength(10);
  const [backend] = mesh.inspect().backends;
  expect(backend).toMatchObject({ breaker: "closed", inFlight: 0 });
  for (const endpoint of backend?.endpoints ?? []) expect(endpoint).toMatchObject({ state: "ready", failures: 0, inFlight: 0 });
  for (const address of ["a:1", "b:1"]) transport.endpoint(address).respond({ status: 200 });
  const after = send(mesh);
  await clock.advance(100);
  expect(await after).toBe(200);
  void mesh.close({ limit: 0 });
  await clock.advance(1_000);
});

test("while time stands still nothing expires, and what is sent is answered", async () => {
  const clock = sleepyClock();
  const { mesh } = meshOver(clock, { timeout: "1s", outlier: { consecutiveFailures: 1 } });
  for (let count = 0; count < 50; count++) {
    const call = send(mesh);
    await clock.leap(0);
    expect(await call).toBe(200);
  }
  expect(mesh.inspect().backends[0]).toMatchObject({ inFlight: 0, endpoints: [{ failures: 0 }, { failures: 0 }] });
  void mesh.close({ limit: 0 });
  await clock.advance(1_000);
});
