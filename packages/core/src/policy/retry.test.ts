import fc from "fast-check";
import { expect, test } from "vitest";
import { retryOf } from "../../test/builders.ts";
import { Attempt, type AttemptOutcome } from "../context.ts";
import { IDEMPOTENT_METHODS } from "../model/defaults.ts";
import type { RetryCondition } from "../model/route.ts";
import { decideRetry, type TryFacts } from "./retry.ts";

const OUTCOMES: readonly AttemptOutcome[] = [
  "pending",
  "response",
  "connect-failure",
  "refused-stream",
  "reset",
  "protocol-error",
  "attempt-timeout",
  "deadline",
  "cancelled",
  "breaker-open",
  "overloaded",
  "no-endpoint",
  "failed",
];

interface Parts extends Partial<Omit<TryFacts, "attempt">> {
  readonly outcome?: AttemptOutcome;
  readonly status?: number;
  readonly grpcStatus?: number | null;
  readonly wasSent?: boolean;
  readonly shortage?: Attempt["shortage"];
  readonly reusedConnection?: boolean;
}

/** A GET whose one try ended as said, with nothing spent yet. Sent unless it says otherwise. */
function factsOf({
  outcome = "response",
  status = 0,
  grpcStatus = null,
  wasSent = true,
  shortage = null,
  reusedConnection = false,
  ...rest
}: Parts): TryFacts {
  const attempt = new Attempt(1, 0);
  Object.assign(attempt, { outcome, status, grpcStatus, wasSent, shortage, reusedConnection });
  return {
    attempt,
    method: "GET",
    isRpc: false,
    isReplayable: true,
    isDeclaredIdempotent: false,
    isNested: false,
    wasRetriedBelow: false,
    retries: 0,
    transparentRetries: 0,
    transparentRetriesHere: 0,
    retryAfterMs: null,
    ...rest,
  };
}

/** Beyond what is repeated transparently, so that the conditions alone decide. */
const SPENT = { transparentRetries: 3 };

test.each<[RetryCondition, AttemptOutcome[], number[]]>([
  ["connect-failure", ["connect-failure"], []],
  ["refused-stream", ["refused-stream"], []],
  ["reset", ["reset", "attempt-timeout"], []],
  ["attempt-timeout", ["attempt-timeout"], []],
  ["retriable-4xx", [], [409]],
  ["gateway-error", ["connect-failure", "refused-stream", "reset", "attempt-timeout"], [502, 503, 504]],
  ["5xx", ["connect-failure", "refused-stream", "reset", "attempt-timeout"], [500, 501, 502, 503, 504, 505, 599]],
  [503, [], [503]],
  [429, [], [429]],
])("%s is met by %s and the statuses %s, and by nothing else", (condition, outcomes, statuses) => {
  const config = retryOf({ on: [condition] });
  for (const outcome of OUTCOMES) {
    if (outcome === "response") continue;
    const { kind } = decideRetry(config, factsOf({ outcome, ...SPENT }));
    expect(kind, outcome).toBe(outcomes.includes(outcome) ? "retry" : "stop");
  }
  for (const status of [200, 301, 400, 404, 408, 409, 425, 429, 499, 500, 501, 502, 503, 504, 505, 599]) {
    const { kind } = decideRetry(config, factsOf({ status, ...SPENT }));
    expect(kind, String(status)).toBe(statuses.includes(status) ? "retry" : "stop");
  }
});

test.each<[RetryCondition, number, AttemptOutcome[]]>([
  ["grpc:unavailable", 14, ["connect-failure", "refused-stream", "reset"]],
  ["grpc:deadline-exceeded", 4, ["attempt-timeout"]],
  ["grpc:internal", 13, []],
  ["grpc:unknown", 2, []],
])("%s is met by a gRPC call that ends with %s or %s, and by nothing else", (condition, wanted, outcomes) => {
  const config = retryOf({ on: [condition] });
  const kind = (parts: Parts) => decideRetry(config, factsOf({ method: "POST", isRpc: true, ...SPENT, ...parts })).kind;
  for (const outcome of OUTCOMES) {
    if (outcome !== "response") expect(kind({ outcome }), outcome).toBe(outcomes.includes(outcome) ? "retry" : "stop");
  }
  for (let grpcStatus = 1; grpcStatus < 17; grpcStatus++)
    expect(kind({ status: 200, grpcStatus }), String(grpcStatus)).toBe(grpcStatus === wanted ? "retry" : "stop");
  expect(kind({ outcome: "protocol-error", grpcStatus: wanted })).toBe("retry");
  expect(decideRetry(config, factsOf({ outcome: "reset", ...SPENT })).kind).toBe("stop");
});

test("a call may be repeated where a grpc: condition is named or its caller says so, whatever methods say", () => {
  const decide = (on: readonly RetryCondition[], parts: Parts = {}) =>
    decideRetry(retryOf({ on, methods: ["POST"] }), factsOf({ outcome: "reset", method: "POST", isRpc: true, ...parts }));
  expect(decide(["reset"])).toMatchObject({ kind: "stop", why: "retry.on names no grpc: condition, so calls are not repeated" });
  expect(decide(["reset"], { isDeclaredIdempotent: true }).kind).toBe("retry");
  expect(decide(["reset", "grpc:internal"]).kind).toBe("retry");
  expect(decide(["reset", "grpc:internal"], { isRpc: false, method: "PATCH" }).kind).toBe("stop");
});

test.each([
  [5_000, { kind: "retry", atLeastMs: 5_000 }],
  [5_001, { kind: "stop", why: "grpc-retry-pushback-ms of 5001ms is over 5000ms" }],
  [Number.POSITIVE_INFINITY, { kind: "stop", why: "the server asked not to be tried again" }],
])("a call whose server asks for %s ms is repeated accordingly", (retryAfterMs, expected) => {
  const facts = factsOf({ status: 200, grpcStatus: 14, method: "POST", isRpc: true, retryAfterMs });
  expect(decideRetry(retryOf({ on: ["grpc:unavailable"] }), facts)).toMatchObject(expected);
});

test("only the idempotent methods are retried, or those that the route names", () => {
  const kind = (method: string, methods: readonly string[]) => decideRetry(retryOf({ methods }), factsOf({ method, status: 503 })).kind;
  for (const method of ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]) expect(kind(method, IDEMPOTENT_METHODS), method).toBe("retry");
  for (const method of ["POST", "PATCH", "TRACE", "CONNECT", "get"]) expect(kind(method, IDEMPOTENT_METHODS), method).toBe("stop");
  expect(kind("POST", ["POST"])).toBe("retry");
  expect(kind("GET", ["POST"])).toBe("stop");
});

test("the caller's word makes any method safe to repeat", () => {
  expect(decideRetry(retryOf(), factsOf({ method: "POST", status: 503, isDeclaredIdempotent: true })).kind).toBe("retry");
});

test.each<[string, Parts]>([
  ["the body cannot be sent again", { isReplayable: false }],
  ["the caller is itself a retry", { isNested: true }],
  ["2 of 2 retries used", { retries: 2 }],
  ["Retry-After of 5001ms is over 5000ms", { retryAfterMs: 5_001 }],
  ["POST is not retried", { method: "POST" }],
])("stops because %s", (why, parts) => {
  expect(decideRetry(retryOf(), factsOf({ status: 503, ...parts }))).toMatchObject({ kind: "stop", why });
});

test("without a policy, or with one of no retries, only transparent retries are made", () => {
  for (const config of [null, retryOf({ maxRetries: 0 })]) {
    expect(decideRetry(config, factsOf({ status: 503 }))).toMatchObject({ kind: "stop", why: "no retry policy" });
    expect(decideRetry(config, factsOf({ outcome: "reset" })).kind).toBe("stop");
    expect(decideRetry(config, factsOf({ outcome: "connect-failure", wasSent: false })).kind).toBe("transparent");
  }
});

test("waits at least as long as the answer asked for", () => {
  expect(decideRetry(retryOf(), factsOf({ status: 503, retryAfterMs: 5_000 }))).toMatchObject({ kind: "retry", atLeastMs: 5_000 });
  expect(decideRetry(retryOf(), factsOf({ status: 503 }))).toMatchObject({ kind: "retry", atLeastMs: 0 });
});

test("what was not sent is repeated transparently, whatever the method, also by a caller that is itself a retry", () => {
  for (const method of ["GET", "POST"]) {
    for (const parts of [{ outcome: "connect-failure", wasSent: false } as const, { outcome: "refused-stream" } as const]) {
      expect(decideRetry(null, factsOf({ ...parts, method, isNested: true })).kind, `${method} ${parts.outcome}`).toBe("transparent");
    }
  }
  expect(decideRetry(null, factsOf({ outcome: "connect-failure", wasSent: true })).kind).toBe("stop");
});

test("a reused connection that died is repeated transparently if repeating is safe", () => {
  const died = { outcome: "reset", reusedConnection: true } as const;
  expect(decideRetry(null, factsOf(died)).kind).toBe("transparent");
  expect(decideRetry(null, factsOf({ ...died, reusedConnection: false })).kind).toBe("stop");
  expect(decideRetry(null, factsOf({ ...died, method: "POST" })).kind).toBe("stop");
  expect(decideRetry(null, factsOf({ ...died, method: "POST", isDeclaredIdempotent: true })).kind).toBe("transparent");
  expect(decideRetry(retryOf({ methods: ["POST"] }), factsOf({ ...died, method: "POST" })).kind).toBe("transparent");
  expect(decideRetry(null, factsOf({ ...died, outcome: "attempt-timeout" })).kind).toBe("stop");
});

test("at most one transparent retry for an endpoint, and three for a request", () => {
  const refused = { outcome: "refused-stream" } as const;
  expect(decideRetry(null, factsOf({ ...refused, transparentRetries: 2 })).kind).toBe("transparent");
  expect(decideRetry(null, factsOf({ ...refused, transparentRetries: 3 })).kind).toBe("stop");
  expect(decideRetry(null, factsOf({ ...refused, transparentRetries: 1, transparentRetriesHere: 1 })).kind).toBe("stop");
});

const anyFacts = fc
  .record({
    outcome: fc.constantFrom(...OUTCOMES),
    status: fc.integer({ min: 200, max: 599 }),
    wasSent: fc.boolean(),
    reusedConnection: fc.boolean(),
    method: fc.constantFrom("GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "QUERY"),
    isRpc: fc.boolean(),
    grpcStatus: fc.option(fc.nat(17), { nil: null }),
    isReplayable: fc.boolean(),
    isDeclaredIdempotent: fc.boolean(),
    isNested: fc.boolean(),
    wasRetriedBelow: fc.boolean(),
    retries: fc.nat(3),
    transparentRetries: fc.nat(4),
    transparentRetriesHere: fc.nat(2),
    retryAfterMs: fc.option(fc.oneof(fc.nat(10_000), fc.constant(Number.POSITIVE_INFINITY)), { nil: null }),
  })
  .map(factsOf);

const condition = fc.constantFrom<RetryCondition>(
  ...(["connect-failure", "refused-stream", "reset", "attempt-timeout", "retriable-4xx", "gateway-error", "5xx", 409, 503] as const),
  ...(["grpc:unavailable", "grpc:internal", "grpc:deadline-exceeded"] as const),
);
const anyConfig = fc.option(
  fc.record({
    maxRetries: fc.nat(3),
    on: fc.uniqueArray(condition),
    methods: fc.uniqueArray(fc.constantFrom("GET", "PUT", "POST")),
  }),
  { nil: null },
);

test("nothing unsafe is ever sent twice, for whatever reason a try failed", () => {
  fc.assert(
    fc.property(anyConfig, anyFacts, (parts, facts) => {
      const config = parts === null ? null : retryOf(parts);
      const { kind } = decideRetry(config, facts);
      const { attempt } = facts;
      const mayHaveBeenProcessed = attempt.wasSent && attempt.outcome !== "refused-stream";
      const isConsented = config?.on.some((condition) => String(condition).startsWith("grpc:")) === true;
      const isNamed = facts.isRpc ? isConsented : (config?.methods ?? IDEMPOTENT_METHODS).includes(facts.method);
      const isSafe = facts.isDeclaredIdempotent || isNamed;
      if (mayHaveBeenProcessed && !isSafe) expect(kind).toBe("stop");
      if (!facts.isReplayable) expect(kind).toBe("stop");
      if (["cancelled", "deadline", "breaker-open", "overloaded", "no-endpoint", "failed", "pending"].includes(attempt.outcome)) {
        expect(kind).toBe("stop");
      }
      if (kind === "retry") {
        expect(facts.isNested).toBe(false);
        expect(facts.retries).toBeLessThan(config?.maxRetries ?? 0);
        expect(facts.retryAfterMs).not.toBe(Number.POSITIVE_INFINITY);
      }
      if (kind === "transparent") {
        expect(facts.transparentRetries).toBeLessThan(3);
        expect(facts.transparentRetriesHere).toBe(0);
        expect(attempt.outcome).not.toBe("response");
      }
    }),
    { numRuns: 3_000 },
  );
});

test("without descriptors or memory nothing is tried at once elsewhere, without a port to one endpoint it is", () => {
  const unsent = { outcome: "connect-failure", wasSent: false } as const;
  for (const shortage of ["descriptors", "memory"] as const) {
    expect(decideRetry(null, factsOf({ ...unsent, shortage }))).toMatchObject({ kind: "stop" });
    expect(decideRetry(retryOf({ on: ["connect-failure"] }), factsOf({ ...unsent, shortage }))).toMatchObject({ kind: "retry" });
  }
  for (const shortage of [null, "ports"] as const)
    expect(decideRetry(null, factsOf({ ...unsent, shortage }))).toMatchObject({ kind: "transparent" });
});
