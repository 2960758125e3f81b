import { setTimeout as wait } from "node:timers/promises";
import { FailedAnswer, type MeshError, type NamedPolicy, type ProtectedCall } from "@heddle/core";
import { type TestMesh, testMesh } from "@heddle/testing";
import {
  bulkhead,
  CircuitState,
  ConsecutiveBreaker,
  ConstantBackoff,
  circuitBreaker,
  fallback,
  handleAll,
  handleType,
  handleWhen,
  noop,
  retry,
  TimeoutStrategy,
  timeout,
  wrap,
} from "cockatiel";
import { expect, test } from "vitest";
import { Opossum } from "./opossum-package.ts";
import { document, ONE, outcomes } from "./policy-mesh.ts";

// cockatiel and opossum have their own time and cannot be given another: these tests wait, a few milliseconds each.

function serviceWith(policy: NamedPolicy, reviews: object = {}): TestMesh {
  return testMesh({ config: document({ policy: "mine", outlier: "off", ...reviews }), namedPolicies: { mine: policy } });
}

function resourceWith(policy: NamedPolicy, db: object = {}): TestMesh {
  return testMesh({ config: { apiVersion: "heddle/v1", resources: { db: { policy: "mine", ...db } } }, namedPolicies: { mine: policy } });
}

/** Lets both times pass: the mesh's and the real one. */
async function settled(t: TestMesh, reply: Promise<unknown>): Promise<unknown> {
  let result: unknown = "pending";
  reply.then(
    (value) => (result = value),
    (error: unknown) => (result = error),
  );
  for (let turn = 0; turn < 200 && result === "pending"; turn++) {
    await t.advance(0);
    await wait(1);
  }
  return result;
}

const call = (t: TestMesh, options: Parameters<TestMesh["request"]>[1] = {}) => settled(t, t.request("http://reviews/", options));
const received = (t: TestMesh): number => t.endpoint(ONE).requests.length;

const retryOf = (maxAttempts: number, backoffMs = 0) => retry(handleAll, { maxAttempts, backoff: new ConstantBackoff(backoffMs) });

test("a cockatiel policy repeats requests whose answers count as failures, and the caller gets the last answer as it is", async () => {
  await using t = serviceWith(retryOf(3));
  t.endpoint(ONE).respond({ status: 503 }).times(2);
  expect(await call(t)).toMatchObject({ status: 200 });
  expect(received(t)).toBe(3);
  t.endpoint(ONE).respond({ status: 500, body: "why" });
  const reply = (await call(t)) as { status: number; text(): Promise<string> };
  expect([reply.status, await reply.text(), received(t)]).toEqual([500, "why", 7]);
  expect(t.mesh.inspect().backends).toMatchObject([{ inFlight: 0 }]);
});

test("retries never multiply: the mesh's own, transparent ones too, are off beside a policy that retries, and that is told once", async () => {
  await using t = serviceWith(wrap(retryOf(2), circuitBreaker(handleAll, { halfOpenAfter: 1_000, breaker: new ConsecutiveBreaker(100) })), {
    retry: { maxRetries: 5, on: ["connect-failure", "5xx"] },
    breaker: { consecutiveFailures: 1 },
  });
  t.endpoint(ONE).refuse();
  expect(await call(t)).toMatchObject({ code: "connect_failed" });
  await call(t);
  expect(t.attempts()).toHaveLength(6);
  expect(new Set(t.attempts().map(({ why }) => why))).toEqual(new Set(["left to the named policy"]));
  const told = t.problems.filter(({ message }) => message.includes("the policy mine"));
  expect(told).toMatchObject([
    {
      severity: "warning",
      message: "service reviews: the policy mine does itself what retry and breaker would do, which is off beside it",
    },
  ]);
});

test("a policy without retry leaves the mesh's own on, inside of it", async () => {
  const breaker = circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(2) });
  await using t = serviceWith(breaker, { retry: { maxRetries: 1, backoff: { base: "1ms", max: "1ms" } } });
  t.endpoint(ONE).respond({ status: 503 });
  for (let request = 0; request < 2; request++) {
    const reply = t.request("http://reviews/");
    await t.advance("10ms");
    expect((await reply).status).toBe(503);
  }
  expect([received(t), breaker.state]).toEqual([4, CircuitState.Open]);
  expect(await call(t)).toMatchObject({ code: "breaker_open", status: 503, cause: { isBrokenCircuitError: true } });
  expect(outcomes(t, "reviews")).toEqual({ 503: 2, breaker_open: 1 });
});

test("what may have been acted on is sent once, whatever the policy asks for, unless somebody said that it may be repeated", async () => {
  await using t = serviceWith(retryOf(3));
  t.endpoint(ONE).respond({ status: 503 });
  expect(await call(t, { method: "POST", body: "x" })).toMatchObject({ status: 503 });
  expect(received(t)).toBe(1);
  expect(await call(t, { method: "POST", body: "x", mesh: { idempotent: true } })).toMatchObject({ status: 503 });
  expect(received(t)).toBe(5);
  expect(await call(t, { mesh: { retry: false } })).toMatchObject({ status: 503 });
  expect(received(t)).toBe(6);
  await using named = serviceWith(retryOf(1), { retry: { methods: ["POST"] } });
  named.endpoint(ONE).respond({ status: 503 });
  await call(named, { method: "POST", body: "x" });
  expect(received(named)).toBe(2);
});

test("a POST that reached nobody may be repeated", async () => {
  await using t = serviceWith(retryOf(1));
  t.endpoint(ONE).refuse();
  await call(t, { method: "POST", body: "x" });
  expect(t.attempts()).toHaveLength(2);
});

test("cockatiel itself: its retry ignores an abort during backoff and calls again", async () => {
  const controller = new AbortController();
  let calls = 0;
  const run = retryOf(1, 20).execute(() => {
    calls++;
    throw new Error("down");
  }, controller.signal);
  run.catch(() => {});
  await wait(5);
  controller.abort();
  await wait(30);
  // Should this fail, the package has been mended.
  expect(calls).toBe(2);
});

test("once the caller has left nothing is sent any more, however long the policy's backoff runs on, and the caller is told at once", async () => {
  await using t = serviceWith(retryOf(5, 200));
  t.endpoint(ONE).respond({ status: 503 });
  const controller = new AbortController();
  const left = t.request("http://reviews/", { signal: controller.signal }).catch((error: unknown) => error);
  await t.advance(0);
  await wait(5);
  controller.abort("gone");
  expect(await Promise.race([left, wait(10, "late")])).toBe("gone");
  await wait(250);
  await t.advance(0);
  expect(received(t)).toBe(1);
});

test("the deadline of the mesh ends a policy's backoff just so", async () => {
  await using t = resourceWith(retryOf(5, 200), { timeout: "1s" });
  let calls = 0;
  const result = t.protect("db", () => {
    calls++;
    throw new Error("down");
  });
  const failure = result.catch((error: MeshError) => error.code);
  await wait(5);
  await t.advance("1s");
  expect(await Promise.race([failure, wait(10, "late")])).toBe("deadline_exceeded");
  await wait(250);
  expect(calls).toBe(1);
});

test("cockatiel's timeout, aggressive or not, ends the try beneath it, and what still comes is discarded", async () => {
  for (const strategy of [TimeoutStrategy.Aggressive, TimeoutStrategy.Cooperative]) {
    await using t = serviceWith(timeout(10, strategy));
    t.endpoint(ONE).hang();
    expect(await call(t)).toMatchObject({ code: "attempt_timeout", status: 504 });
    expect(t.mesh.inspect().backends).toMatchObject([{ inFlight: 0 }]);
  }
});

test("a policy that aborts its signal once it has returned does not cut the body", async () => {
  await using t = serviceWith(timeout(1_000, TimeoutStrategy.Aggressive));
  t.endpoint(ONE).hang({ at: "body" });
  const reply = await t.request("http://reviews/");
  const text = reply.text().catch(() => "cut");
  await t.advance("1s");
  await wait(5);
  expect(await Promise.race([text, wait(5, "still open")])).toBe("still open");
  reply.discard();
});

test("half-open, cockatiel parks callers and does not hear their abort; they leave all the same", async () => {
  const breaker = circuitBreaker(handleAll, { halfOpenAfter: 1, breaker: new ConsecutiveBreaker(1) });
  await using t = resourceWith(breaker);
  await t.protect("db", () => Promise.reject(new Error("down"))).catch(() => {});
  await wait(5);
  const probe = Promise.withResolvers<string>();
  const first = t.protect("db", () => probe.promise);
  const controller = new AbortController();
  const parked = t.protect("db", () => "never", { signal: controller.signal }).catch((error: unknown) => error);
  await wait(2);
  controller.abort("enough");
  expect(await Promise.race([parked, wait(20, "still parked")])).toBe("enough");
  probe.resolve("up");
  expect(await first).toBe("up");
});

test("a function's own errors and results are what its policy sees, and what its caller gets", async () => {
  class Deadlock extends Error {}
  const seen: unknown[] = [];
  const policy = retry(
    handleType(Deadlock).orWhenResult((value) => value === "again"),
    { maxAttempts: 3, backoff: new ConstantBackoff(0) },
  );
  policy.onFailure(({ reason }) => seen.push("error" in reason ? reason.error : reason.value));
  await using t = resourceWith(policy, { retry: { maxRetries: 5 } });
  const deadlock = new Deadlock("wait");
  const other = new Error("syntax");
  const results: unknown[] = [deadlock, "again", "rows"];
  const attempts: number[] = [];
  const run = ({ attempt }: ProtectedCall) => {
    attempts.push(attempt);
    const result = results.shift();
    if (result instanceof Error) throw result;
    return result;
  };
  expect(await settled(t, t.protect("db", run))).toBe("rows");
  expect([seen, attempts]).toEqual([
    [deadlock, "again"],
    [1, 2, 3],
  ]);
  results.push(other);
  expect(await settled(t, t.protect("db", run))).toBe(other);
  expect(t.problems).toMatchObject([{ message: expect.stringContaining("resource db: the policy mine does itself what retry would do") }]);
});

test("a policy's fallback is a resource's result; for a service it must be a response", async () => {
  await using t = resourceWith(fallback(handleAll, "cached"));
  expect(
    await settled(
      t,
      t.protect("db", () => Promise.reject(new Error("down"))),
    ),
  ).toBe("cached");
  await using service = serviceWith(fallback(handleAll, "cached"));
  service.endpoint(ONE).respond({ status: 500 });
  expect(await call(service)).toMatchObject({
    code: "extension_failed",
    message: expect.stringContaining("gave something that is no response"),
  });
});

test("handlers see a failed answer's status; what is no failure to the classifier is shown as it is", async () => {
  const statuses: number[] = [];
  const policy = retry(
    handleWhen((error) => {
      if (error instanceof FailedAnswer) statuses.push(error.status);
      return error instanceof FailedAnswer && error.status === 503;
    }),
    { maxAttempts: 2, backoff: new ConstantBackoff(0) },
  );
  await using t = serviceWith(policy, { failure: { statuses: ["5xx", 429] } });
  t.endpoint(ONE).respond({ status: 503 }).times(1);
  t.endpoint(ONE).respond({ status: 429 }).times(1);
  expect(await call(t)).toMatchObject({ status: 429 });
  expect(statuses).toEqual([503, 429]);
});

test("a bulkhead of cockatiel's bounds instead of limits.maxRequests", async () => {
  await using t = resourceWith(bulkhead(1, 0), { limits: { maxRequests: 5 } });
  const first = Promise.withResolvers<void>();
  const running = t.protect("db", () => first.promise);
  await t.advance(0);
  expect(
    await settled(
      t,
      t.protect("db", () => "no room"),
    ),
  ).toMatchObject({ code: "overloaded", cause: { isBulkheadRejectedError: true } });
  first.resolve();
  await running;
  expect(t.problems).toMatchObject([{ message: expect.stringContaining("limits.maxRequests") }]);
});

test("noop changes nothing, and anything with execute is a policy whose retries are assumed", async () => {
  await using t = serviceWith(noop, { retry: { maxRetries: 1, backoff: { base: "1ms", max: "1ms" } } });
  t.endpoint(ONE).respond({ status: 503 }).times(1);
  const reply = t.request("http://reviews/");
  await t.advance("10ms");
  expect((await reply).status).toBe(200);
  const own: NamedPolicy = { execute: async (run) => run({ signal: new AbortController().signal }) };
  await using unknown = serviceWith(own, { retry: {} });
  unknown.endpoint(ONE).respond({ status: 503 }).times(1);
  expect(await call(unknown)).toMatchObject({ status: 503 });
});

test("a policy that fails by itself is extension_failed", async () => {
  const own: NamedPolicy = { execute: () => Promise.reject(new TypeError("mistake")) };
  await using t = serviceWith(own);
  expect(await call(t)).toMatchObject({ code: "extension_failed", cause: { message: "mistake" } });
});

test("an opossum breaker around (call) => call() opens by failed answers, and refuses", async () => {
  const breaker = new Opossum((run) => run(), { timeout: false, volumeThreshold: 2, resetTimeout: 10_000 });
  await using t = serviceWith(breaker, { breaker: { consecutiveFailures: 1 } });
  t.endpoint(ONE).respond({ status: 500 });
  expect([await call(t), await call(t)]).toMatchObject([{ status: 500 }, { status: 500 }]);
  expect(breaker.opened).toBe(true);
  expect(await call(t)).toMatchObject({ code: "breaker_open", cause: { code: "EOPENBREAKER" } });
  expect(received(t)).toBe(2);
  breaker.shutdown();
});

test("opossum's own timeout ends the request beneath it; its fallback is a resource's result", async () => {
  const breaker = new Opossum((run) => run(), { timeout: 10, volumeThreshold: 100 });
  await using t = serviceWith(breaker);
  t.endpoint(ONE).hang();
  expect(await call(t)).toMatchObject({ code: "attempt_timeout", cause: { code: "ETIMEDOUT" } });
  expect(t.mesh.inspect().backends).toMatchObject([{ inFlight: 0 }]);
  breaker.shutdown();
  const answering = new Opossum((run) => run(), { timeout: false });
  answering.fallback(() => "cached");
  await using resource = resourceWith(answering);
  expect(
    await settled(
      resource,
      resource.protect("db", () => Promise.reject(new Error("down"))),
    ),
  ).toBe("cached");
  answering.shutdown();
});

test("a late success does not close a given opossum breaker while it is half-open, and its caller has it at once", async () => {
  const breaker = new Opossum((run) => run(), { timeout: false, resetTimeout: 5, volumeThreshold: 1 });
  await using t = resourceWith(breaker);
  const late = Promise.withResolvers<string>();
  const lateCall = t.protect("db", () => late.promise);
  await settled(
    t,
    t.protect("db", () => Promise.reject(new Error("down"))),
  );
  breaker.open();
  await wait(15);
  expect(breaker.halfOpen).toBe(true);
  late.resolve("late");
  expect(await Promise.race([lateCall, wait(50, "held")])).toBe("late");
  expect(breaker.halfOpen).toBe(true);
  expect(
    await settled(
      t,
      t.protect("db", () => "up"),
    ),
  ).toBe("up");
  expect(breaker.closed).toBe(true);
  breaker.shutdown();
});

test("one AbortController for a whole breaker does not reach the calls beside the one that timed out", async () => {
  const abortController = new AbortController();
  const breaker = new Opossum((run) => run(), { timeout: 15, volumeThreshold: 100, abortController });
  await using t = resourceWith(breaker);
  const signals: AbortSignal[] = [];
  const slow = t.protect("db", ({ signal }) => new Promise<never>(() => void signals.push(signal))).catch((error: MeshError) => error.code);
  await wait(10);
  const beside = t.protect("db", async ({ signal }) => {
    signals.push(signal);
    await wait(10);
    return "fine";
  });
  expect(await settled(t, slow)).toBe("attempt_timeout");
  expect(abortController.signal.aborted).toBe(true);
  expect(await settled(t, beside)).toBe("fine");
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  breaker.shutdown();
});

test("a breaker around something else is found out: it never called", async () => {
  const breaker = new Opossum(async () => "its own");
  await using t = resourceWith(breaker);
  expect(
    await settled(
      t,
      t.protect("db", () => "rows"),
    ),
  ).toMatchObject({
    code: "extension_failed",
    message: expect.stringContaining("make the breaker around (call) => call()"),
  });
  breaker.shutdown();
});

test("a name that the code does not give is a mistake in the document, for a service and for a resource", () => {
  const namedPolicies = { search: noop };
  const mesh = (config: object) => () => testMesh({ config, namedPolicies });
  expect(mesh(document({ policy: "serach" }))).toThrow(
    'the policy "serach" is not known: namedPolicies has search; did you mean "search"?',
  );
  expect(mesh({ apiVersion: "heddle/v1", resources: { db: { policy: "db" } } })).toThrow('the policy "db" is not known');
});
