import { setTimeout as wait } from "node:timers/promises";
import { loadDocument, systemClock } from "@heddle/core";
import { type TestMesh, testMesh } from "@heddle/testing";
import { expect, test } from "vitest";
import { OpossumBreaker } from "../../packages/core/src/policy/engines/opossum-breaker.ts";
import { virtualClock } from "../../packages/core/test/virtual-clock.ts";
import { Opossum } from "./opossum-package.ts";
import { document, ONE } from "./policy-mesh.ts";

const BREAKER = { engine: "opossum", failurePercent: 50, minRequests: 4, window: "10s", openFor: "5s" };

function breakerOf(parts: object = {}) {
  const clock = virtualClock();
  const config = {
    engine: "opossum",
    consecutiveFailures: null,
    failurePercent: 50,
    minRequests: 4,
    windowMs: 10_000,
    openForMs: 5_000,
  } as const;
  const breaker = new OpossumBreaker({ ...config, ...parts }, clock);
  const call = async (verdict: "success" | "failure" | "neutral") => {
    const permit = breaker.admit(clock.now());
    if (permit === null) return "refused";
    breaker.settle(permit, verdict, clock.now());
    await clock.advance(0);
    return breaker.state(clock.now());
  };
  return { breaker, clock, call };
}

async function requests(t: TestMesh, count: number): Promise<readonly unknown[]> {
  const results: unknown[] = [];
  for (let call = 0; call < count; call++) {
    const reply = t.request("http://reviews/").then(
      ({ status }) => status,
      (error: { code: string }) => error.code,
    );
    await t.advance("1ms");
    results.push(await reply);
  }
  return results;
}

test("a service's breaker by opossum opens by the share of failures, in virtual time, and closes through one probe", async () => {
  await using t = testMesh({ config: document({ breaker: BREAKER, outlier: "off" }) });
  t.endpoint(ONE).respond({ status: 500 }).times(5);
  expect(await requests(t, 5)).toEqual([500, 500, 500, 500, "breaker_open"]);
  expect(t.mesh.inspect().backends).toMatchObject([{ breaker: "open" }]);
  await t.advance("5s");
  expect(await requests(t, 2)).toEqual([500, "breaker_open"]);
  await t.advance("5s");
  expect(await requests(t, 2)).toEqual([200, 200]);
  expect(t.mesh.inspect().backends).toMatchObject([{ breaker: "closed" }]);
  expect(t.clock.pendingTimers).toBeGreaterThan(0);
});

test("a resource's breaker by opossum does the same", async () => {
  await using t = testMesh({ config: { apiVersion: "heddle/v1", resources: { db: { breaker: BREAKER } } } });
  const fail = () => t.protect("db", () => Promise.reject(new Error("down"))).catch((error: { code?: string }) => error.code ?? "failed");
  for (let call = 0; call < 4; call++) expect(await fail()).toBe("failed");
  expect(await fail()).toBe("breaker_open");
  await t.advance("5s");
  expect(await t.protect("db", () => "up")).toBe("up");
  await t.advance(0);
  expect(t.mesh.inspect().resources).toMatchObject([{ breaker: "closed" }]);
});

test("an answer is judged at the end of its body", async () => {
  await using t = testMesh({ config: document({ breaker: { ...BREAKER, minRequests: 1 }, outlier: "off" }) });
  t.endpoint(ONE).reset({ after: "body" });
  const reply = await t.request("http://reviews/");
  await t.advance("1s");
  expect(await reply.text().catch((error: { code: string }) => error.code)).toBe("connection_reset");
  expect(t.mesh.inspect().backends).toMatchObject([{ breaker: "open" }]);
});

test("opossum itself: a late success of a call that began before it opened closes it while it is half-open", async () => {
  const breaker = new Opossum((call) => call(), { timeout: false, resetTimeout: 5, volumeThreshold: 1 });
  const late = Promise.withResolvers<void>();
  const lateCall = breaker.fire(() => late.promise);
  await breaker.fire(() => Promise.reject(new Error("down"))).catch(() => {});
  breaker.open();
  await wait(15);
  expect(breaker.halfOpen).toBe(true);
  late.resolve();
  await lateCall;
  // Should this fail, the package has been mended.
  expect(breaker.closed).toBe(true);
  breaker.shutdown();
});

test("behind the mesh a late success does not close it, nor does a late failure open it again", async () => {
  const { breaker, clock, call } = breakerOf();
  const lateSuccess = breaker.admit(clock.now());
  const lateFailure = breaker.admit(clock.now());
  for (let failure = 0; failure < 4; failure++) await call("failure");
  expect(breaker.state(clock.now())).toBe("open");
  await clock.advance(5_000);
  const probe = breaker.admit(clock.now());
  expect(probe).toMatchObject({ isProbe: true });
  if (lateSuccess) breaker.settle(lateSuccess, "success", clock.now());
  if (lateFailure) breaker.settle(lateFailure, "failure", clock.now());
  await clock.advance(0);
  expect([breaker.state(clock.now()), breaker.admit(clock.now())]).toEqual(["half-open", null]);
  if (probe) breaker.settle(probe, "success", clock.now());
  await clock.advance(0);
  expect(breaker.state(clock.now())).toBe("closed");
});

test("a probe that says nothing lets the next one through", async () => {
  const { breaker, clock, call } = breakerOf({ minRequests: 1 });
  expect(await call("failure")).toBe("open");
  await clock.advance(5_000);
  expect(await call("neutral")).toBe("half-open");
  expect(await call("success")).toBe("closed");
  expect(breaker.retryInMs(clock.now())).toBe(0);
});

test("exactly the share opens, as with the native engine, and what is older than the window counts no more", async () => {
  const { clock, call } = breakerOf();
  for (const verdict of ["success", "success", "failure"] as const) expect(await call(verdict)).toBe("closed");
  await clock.advance(12_001);
  for (const verdict of ["success", "success", "failure"] as const) expect(await call(verdict)).toBe("closed");
  expect(await call("failure")).toBe("open");
  expect(await call("failure")).toBe("refused");
});

test("without a share it never opens, and another configuration starts anew", async () => {
  const { breaker, clock, call } = breakerOf({ failurePercent: null });
  for (let failure = 0; failure < 20; failure++) expect(await call("failure")).toBe("closed");
  breaker.configure({ engine: "opossum", consecutiveFailures: null, failurePercent: 100, minRequests: 2, windowMs: 1_000, openForMs: 10 });
  expect([await call("failure"), await call("failure"), breaker.retryInMs(clock.now())]).toEqual(["closed", "open", 10]);
});

test("it holds no timer of opossum's, so that thousands of them cost nothing while idle", async () => {
  const before = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const breakers = Array.from(
    { length: 2_000 },
    () =>
      new OpossumBreaker(
        { engine: "opossum", consecutiveFailures: null, failurePercent: 50, minRequests: 1, windowMs: 10_000, openForMs: 1_000 },
        systemClock,
      ),
  );
  expect(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length).toBe(before);
  for (const breaker of breakers) breaker.close();
});

test("a failure costs the same however many calls the window has, and their durations are not kept", async () => {
  const { breaker, clock } = breakerOf({ failurePercent: 100, minRequests: 1_000_000 });
  const settle = (verdict: "success" | "failure") => {
    const permit = breaker.admit(clock.now());
    if (permit) breaker.settle(permit, verdict, clock.now());
  };
  for (let call = 0; call < 50_000; call++) settle("success");
  await clock.advance(0);
  // 3,000 failures among 50,000 calls take opossum with its defaults nearly a minute.
  const begun = performance.now();
  for (let call = 0; call < 3_000; call++) settle("failure");
  expect(performance.now() - begun).toBeLessThan(2_000);
});

test("a timeout of one call aborts no other: each has a signal of its own", async () => {
  await using t = testMesh({ config: { apiVersion: "heddle/v1", resources: { db: { breaker: { ...BREAKER, minRequests: 100 } } } } });
  const signals: AbortSignal[] = [];
  const run = ({ signal }: { readonly signal: AbortSignal }) => new Promise<never>(() => void signals.push(signal));
  const short = t.protect("db", run, { timeout: "100ms" }).catch((error: { code: string }) => error.code);
  t.protect("db", run, { timeout: "10s" }).catch(() => {});
  await t.advance("100ms");
  expect(await short).toBe("deadline_exceeded");
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
});

test("a change of the engine takes another breaker", async () => {
  await using t = testMesh({ config: document({ breaker: BREAKER, outlier: "off" }) });
  t.endpoint(ONE).respond({ status: 500 }).times(4);
  await requests(t, 4);
  expect(t.mesh.inspect().backends).toMatchObject([{ breaker: "open" }]);
  t.update(document({ breaker: { ...BREAKER, engine: "native" }, outlier: "off" }));
  expect(await requests(t, 1)).toEqual([200]);
});

test("what opossum cannot do is a mistake in the document", () => {
  const problems = (breaker: object) =>
    loadDocument(document({ breaker }), "test")
      .problems.map(({ message }) => message)
      .join("\n");
  expect(problems({ engine: "opossum", consecutiveFailures: 3 })).toContain("opossum counts no failures in a row");
  expect(problems({ engine: "opossum", failurePercent: "off" })).toContain("opossum opens by the share of failures alone");
  expect(problems({ engine: "opposum" })).toContain('did you mean "opossum"?');
  expect(problems(BREAKER)).toBe("");
});
