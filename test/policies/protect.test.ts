import { context, loadDocument, type MeshError, type ProtectedCall, type ProtectedFunction, type ProtectOptions } from "@heddle/core";
import { type TestMesh, testMesh } from "@heddle/testing";
import { expect, test } from "vitest";
import { outcomes } from "./policy-mesh.ts";

function meshOf(db: object, top: object = {}): TestMesh {
  return testMesh({ config: { apiVersion: "heddle/v1", ...top, resources: { db } } });
}

/** The result, or the error, once it is there; `pending` if it is not within the time. */
async function settled<T>(
  t: TestMesh,
  run: ProtectedFunction<T>,
  options: ProtectOptions<T> = {},
  within: string | number = "1m",
): Promise<unknown> {
  let result: unknown = "pending";
  t.protect("db", run, options).then(
    (value) => (result = value),
    (error: unknown) => (result = error),
  );
  await t.advance(within);
  return result;
}

class DatabaseError extends Error {}

/** Fails so often, then gives its result. */
function failing(times: number, result = "rows") {
  const calls: ProtectedCall[] = [];
  const run = async (call: ProtectedCall): Promise<string> => {
    calls.push(call);
    if (calls.length <= times) throw new DatabaseError(`failure ${calls.length}`);
    return result;
  };
  return { run, calls };
}

/** Ends when it is told to, whatever its signal says. */
function held() {
  const runs: { readonly call: ProtectedCall; end(value?: string): void; fail(error: Error): void }[] = [];
  const run = (call: ProtectedCall) =>
    new Promise<string>((resolve, reject) => void runs.push({ call, end: (value = "late") => resolve(value), fail: reject }));
  return { run, runs };
}

test("a function without policies is called once; its result and its error come back unchanged, also from a function that throws at once", async () => {
  await using t = meshOf({});
  const rows = [{ id: 1 }];
  expect(await settled(t, () => rows)).toBe(rows);
  expect(await settled(t, async () => undefined)).toBe(undefined);
  const error = new DatabaseError("no table");
  expect(await settled(t, () => Promise.reject(error))).toBe(error);
  const thrown = new DatabaseError("at once");
  expect(
    await settled(t, () => {
      throw thrown;
    }),
  ).toBe(thrown);
});

test("a name that the configuration does not have is a TypeError with the nearest one", async () => {
  await using t = meshOf({});
  await expect(t.protect("bd", async () => 1)).rejects.toThrow(new TypeError('protect: no resource is called "bd"; did you mean "db"?'));
  await expect(t.protect("something", async () => 1)).rejects.toThrow('no resource is called "something"; there are db');
  await expect(t.protect("db", "select 1" as never)).rejects.toThrow("found string, expected a function");
});

test("the timeout covers all tries: the call rejects with deadline_exceeded, the function's signal with the same reason", async () => {
  await using t = meshOf({ timeout: "1s" });
  const { run, runs } = held();
  const error = (await settled(t, run)) as MeshError;
  expect(error).toMatchObject({ code: "deadline_exceeded", status: 504, message: expect.stringContaining("db: no result within 1s") });
  expect(error.report).toMatchObject({ service: "db", attempts: [{ endpoint: "db", outcome: "deadline" }], policyFrom: "document" });
  expect(runs.at(-1)?.call.signal.reason).toBe(error);
});

test("a signal that nobody asked for is not made, and one asked for late is aborted already", async () => {
  await using t = meshOf({ timeout: "1s" });
  const { run, runs } = held();
  await settled(t, run);
  const { call } = runs[0] as (typeof runs)[number];
  expect(call.signal.aborted).toBe(true);
  expect(call.signal).toBe(call.signal);
});

test("a call may shorten the time, and knows how long it has", async () => {
  await using t = meshOf({ timeout: "1s" });
  const { run, runs } = held();
  expect(await settled(t, run, { timeout: "300ms" }, 300)).toMatchObject({ code: "deadline_exceeded" });
  const remaining: number[] = [];
  await settled(t, ({ remainingMs }) => void remaining.push(remainingMs()), { timeout: "10s" });
  expect([runs[0]?.call.remainingMs(), ...remaining]).toEqual([0, 1_000]);
});

test("the caller's own abort comes back unchanged, and reaches the function", async () => {
  await using t = meshOf({ retry: {} });
  const controller = new AbortController();
  const { run, runs } = held();
  const result = t.protect("db", run, { signal: controller.signal }).catch((error: unknown) => error);
  await t.advance(1);
  const { signal } = (runs[0] as (typeof runs)[number]).call;
  controller.abort("enough");
  expect(await result).toBe("enough");
  expect(signal.reason).toBe("enough");
  expect(outcomes(t, "db")).toEqual({ cancelled: 1 });
  expect(await settled(t, run, { signal: controller.signal })).toBe("enough");
  expect(runs).toHaveLength(1);
});

test("retry written for the resource consents to repeating: after failures with backoff, until maxRetries", async () => {
  await using t = meshOf({ retry: { maxRetries: 2 } });
  const twice = failing(2);
  expect(await settled(t, twice.run)).toBe("rows");
  expect(twice.calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  const often = failing(9);
  expect(await settled(t, often.run)).toMatchObject({ message: "failure 3" });
  expect(often.calls).toHaveLength(3);
});

test("on says what is repeated: error, or timeout of one run", async () => {
  await using errors = meshOf({ retry: { on: ["error"], perTryTimeout: "1s" } });
  expect(await settled(errors, failing(1).run)).toBe("rows");
  expect(await settled(errors, held().run)).toMatchObject({
    code: "attempt_timeout",
    message: expect.stringContaining("db: no result within 1s"),
  });
  await using timeouts = meshOf({ retry: { on: ["timeout"], perTryTimeout: "1s", maxRetries: 1 } });
  expect(await settled(timeouts, failing(1).run)).toBeInstanceOf(DatabaseError);
  const { run, runs } = held();
  const result = settled(timeouts, run, {}, "1500ms");
  await result;
  runs[0]?.end("of the first");
  runs[1]?.end("of the second");
  expect(runs).toHaveLength(2);
  expect(runs[0]?.call.signal.aborted).toBe(true);
});

test("an inherited retry repeats only what its call says may be repeated", async () => {
  const defaults = { retry: { maxRetries: 1 } };
  await using t = meshOf({}, { defaults });
  expect(await settled(t, failing(1).run)).toBeInstanceOf(DatabaseError);
  expect(await settled(t, failing(1).run, { idempotent: true })).toBe("rows");
  expect(await settled(t, failing(1).run, { idempotent: true, retry: false })).toBeInstanceOf(DatabaseError);
  await using off = meshOf({ retry: "off" }, { defaults });
  expect(await settled(off, failing(1).run, { idempotent: true })).toBeInstanceOf(DatabaseError);
});

test("what isFailure denies is not repeated and not held against the resource; one that throws denies nothing", async () => {
  await using t = meshOf({ retry: {}, breaker: { consecutiveFailures: 2, failurePercent: "off" } });
  const duplicate = new Error("duplicate key");
  const calls: number[] = [];
  const insert = async ({ attempt }: ProtectedCall) => {
    calls.push(attempt);
    throw duplicate;
  };
  for (let call = 0; call < 5; call++) expect(await settled(t, insert, { isFailure: (error) => error !== duplicate })).toBe(duplicate);
  expect(calls).toEqual([1, 1, 1, 1, 1]);
  const judge = () => {
    throw new Error("mistake");
  };
  expect(await settled(t, failing(1).run, { isFailure: judge })).toBe("rows");
});

test("the breaker opens after failures, refuses without calling, and closes through one probe", async () => {
  await using t = meshOf({ breaker: { consecutiveFailures: 2, failurePercent: "off", openFor: "5s" } });
  const { run, calls } = failing(3);
  for (let call = 0; call < 2; call++) expect(await settled(t, run, {}, 0)).toBeInstanceOf(DatabaseError);
  expect(await settled(t, run, {}, 0)).toMatchObject({
    code: "breaker_open",
    message: "db: the breaker is open; it lets a probe through in 5s",
  });
  expect(t.mesh.inspect().resources).toMatchObject([{ name: "db", breaker: "open", inFlight: 0 }]);
  await t.advance("5s");
  expect(await settled(t, run, {}, 0)).toBeInstanceOf(DatabaseError);
  await t.advance("5s");
  expect(await settled(t, run, {}, 0)).toBe("rows");
  expect(t.mesh.inspect().resources).toMatchObject([{ breaker: "closed" }]);
  expect(calls).toHaveLength(4);
});

test("over maxRequests calls are refused; with maxPending they wait for their turn, first come first served", async () => {
  await using refusing = meshOf({ limits: { maxRequests: 1 } });
  const one = held();
  refusing.protect("db", one.run).catch(() => {});
  expect(await settled(refusing, one.run, {}, 0)).toMatchObject({
    code: "overloaded",
    status: 503,
    message: "db: 1 calls run, limits.maxRequests is 1",
  });
  await using waiting = meshOf({ limits: { maxRequests: 1, maxPending: 2 }, timeout: "10s" });
  const { run, runs } = held();
  const results = [1, 2, 3].map(() => waiting.protect("db", run));
  await waiting.advance(0);
  expect(waiting.mesh.inspect().resources).toMatchObject([{ inFlight: 1, pending: 2 }]);
  expect(await settled(waiting, run, {}, 0)).toMatchObject({
    code: "overloaded",
    message: expect.stringContaining("2 wait, limits.maxPending is 2"),
  });
  for (const index of [0, 1, 2]) {
    expect(runs).toHaveLength(index + 1);
    runs[index]?.end(`result ${index}`);
    expect(await results[index]).toBe(`result ${index}`);
    await waiting.advance(0);
  }
  expect(waiting.mesh.inspect().resources).toMatchObject([{ inFlight: 0, pending: 0 }]);
});

test("who waits for a turn leaves at the deadline, and a turn that nobody waits for any more goes to the next", async () => {
  await using t = meshOf({ limits: { maxRequests: 1, maxPending: 5 } });
  const { run, runs } = held();
  const first = t.protect("db", run);
  expect(await settled(t, run, { timeout: "1s" }, "1s")).toMatchObject({ code: "deadline_exceeded" });
  const last = t.protect("db", run);
  await t.advance(0);
  runs[0]?.end("first");
  await t.advance(0);
  runs[1]?.end("last");
  expect([await first, await last, runs.length]).toEqual(["first", "last", 2]);
});

test("a call that was given up holds its place until its function has ended", async () => {
  await using t = meshOf({ limits: { maxRequests: 1 }, timeout: "1s" });
  const { run, runs } = held();
  expect(await settled(t, run, {}, "1s")).toMatchObject({ code: "deadline_exceeded" });
  expect(await settled(t, run, {}, 0)).toMatchObject({ code: "overloaded" });
  runs[0]?.end();
  await t.advance(0);
  expect(t.mesh.inspect().resources).toMatchObject([{ inFlight: 0 }]);
  expect(await settled(t, async () => "again")).toBe("again");
});

test("a fallback answers any failure but the caller's leaving; counters keep the failure", async () => {
  await using t = meshOf({ timeout: "1s" });
  expect(await settled(t, failing(1).run, { fallback: (error) => `cached after ${(error as Error).message}` })).toBe(
    "cached after failure 1",
  );
  expect(await settled(t, held().run, { fallback: async () => "cached" })).toBe("cached");
  const controller = new AbortController();
  controller.abort("gone");
  expect(await settled(t, async () => "rows", { fallback: () => "cached", signal: controller.signal })).toBe("gone");
  expect(outcomes(t, "db")).toEqual({ failed: 1, deadline_exceeded: 1 });
});

test("calls are counted apart from requests", async () => {
  await using t = meshOf({ retry: { maxRetries: 1 } });
  await settled(t, failing(1).run);
  await settled(t, failing(9).run);
  expect(t.mesh.inspect().counters).toMatchObject([
    { direction: "resource", service: "db", endpoint: "db", outcome: "ok", count: 1, attempts: 2 },
    { direction: "resource", service: "db", outcome: "failed", count: 1, attempts: 2 },
  ]);
});

test("an edit takes effect for the next call, and keeps what the breaker and the limits know", async () => {
  await using t = meshOf({ breaker: { consecutiveFailures: 2, failurePercent: "off" }, limits: { maxRequests: 1, maxPending: 1 } });
  const { run, runs } = held();
  const first = t.protect("db", run);
  const second = t.protect("db", run);
  await t.advance(0);
  const documentOf = (db: object) => ({ apiVersion: "heddle/v1", resources: { db } });
  const breaker = { consecutiveFailures: 2, failurePercent: "off" };
  t.update(documentOf({ breaker, limits: { maxRequests: 2 }, timeout: "1s" }));
  await t.advance(0);
  expect(runs).toHaveLength(2);
  for (const { fail } of runs) fail(new DatabaseError("down"));
  await Promise.allSettled([first, second]);
  expect(await settled(t, run, {}, 0)).toMatchObject({ code: "breaker_open" });
  t.update(documentOf({ timeout: "1s" }));
  expect(await settled(t, run, {}, "1s")).toMatchObject({ code: "deadline_exceeded" });
  t.update({ apiVersion: "heddle/v1", resources: {} });
  await expect(t.protect("db", run)).rejects.toThrow("the configuration has none");
});

test("defaults and named policies hold, what the resource says wins, and off removes", async () => {
  const top = { defaults: { timeout: { total: "1s", head: "500ms" } }, policies: { patient: { timeout: "5s" } } };
  const limit = async (db: object): Promise<number> => {
    await using t = meshOf(db, top);
    return (await settled(t, ({ remainingMs }) => remainingMs())) as number;
  };
  expect(await limit({})).toBe(1_000);
  expect(await limit({ use: "patient" })).toBe(5_000);
  expect(await limit({ use: "patient", timeout: "2s" })).toBe(2_000);
  expect(await limit({ timeout: "off" })).toBe(Number.POSITIVE_INFINITY);
});

test("closing waits for calls under way and cuts them at its limit; afterwards there are none", async () => {
  const t = meshOf({});
  const { run, runs } = held();
  const quick = t.protect("db", run);
  const slow = t.protect("db", run).catch((error: unknown) => error);
  await t.advance(0);
  const closed = t.close({ limit: "10s" });
  await t.advance("1s");
  runs[0]?.end("in time");
  expect(await quick).toBe("in time");
  await closed;
  expect(await slow).toMatchObject({ code: "closed" });
  await expect(t.protect("db", run)).rejects.toMatchObject({ code: "closed" });
  expect(t.clock.pendingTimers).toBe(0);
  expect(context()).toBe(undefined);
});

test.each<[object, string]>([
  [{ timeout: { total: "1s" } }, "found a mapping, expected a duration"],
  [{ retry: { methods: ["POST"] } }, '"methods" does not belong here: a function has no method'],
  [{ retry: { on: ["reset"] } }, "expected one of error, timeout"],
  [{ limits: { maxConnections: 1 } }, '"maxConnections" does not belong here'],
  [{ failure: {} }, "give it to the call: mesh.protect(name, fn, { isFailure: (error) => boolean })"],
  [{ fallback: {} }, "give it to the call"],
  [{ timeout: "1s", retry: { perTryTimeout: "2s" } }, "perTryTimeout is 2s, more than the total timeout of 1s"],
  [{ retry: { budget: { percent: 0, minPerSecond: 0 } } }, "which forbids the retries that maxRetries: 2 asks for"],
  [{ retry: { backoff: { base: "1s", max: "1ms" } } }, "base is 1s, more than max"],
  [{ breaker: { consecutiveFailures: "off", failurePercent: "off" } }, "it never opens"],
  [{ use: "nowhere" }, 'no policy is called "nowhere"'],
  [{ use: "http" }, 'the policy "http" has "outlier", "timeout.head", which belongs to services and not to a resource'],
])("%j is a mistake", (db, expected) => {
  const policies = { http: { outlier: "off", timeout: { head: "1s" } } };
  const { problems } = loadDocument({ apiVersion: "heddle/v1", policies, resources: { db } }, "test");
  expect(problems.map(({ message }) => message).join("\n")).toContain(expected);
});
