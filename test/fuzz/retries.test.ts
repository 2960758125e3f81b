import { Attempt, loadDocument, type RetryConfig } from "@heddle/core";
import fc from "fast-check";
import { decideRetry, type TryFacts } from "../../packages/core/src/policy/retry.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { HOSTILE_NAMES, hostileText, oddValues } from "./hostile.ts";

const WORDS = ["connect-failure", "refused-stream", "reset", "attempt-timeout", "retriable-4xx", "gateway-error", "5xx"];
/** By their numbers: https://grpc.io/docs/guides/status-codes. */
const CALLS: Readonly<Record<string, number>> = {
  "grpc:cancelled": 1,
  "grpc:unknown": 2,
  "grpc:deadline-exceeded": 4,
  "grpc:aborted": 10,
  "grpc:internal": 13,
  "grpc:unavailable": 14,
};
const NEAR = [
  "4xx",
  "5XX",
  "50x",
  "503",
  "grpc:ok",
  "grpc:UNAVAILABLE",
  "grpc:",
  "grpc:14",
  "unavailable",
  "connect_failure",
  "reset ",
  "error",
  "deadline",
  "off",
  ...HOSTILE_NAMES,
];

const item = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<unknown>(...WORDS, ...Object.keys(CALLS)) },
  { weight: 3, arbitrary: fc.integer({ min: 350, max: 650 }) as fc.Arbitrary<unknown> },
  { weight: 1, arbitrary: fc.constantFrom<unknown>(...NEAR, 503.5, -503, 1e300) },
  { weight: 1, arbitrary: fc.oneof(oddValues, hostileText(1)) },
);

function isCondition(value: unknown): boolean {
  if (typeof value === "string") return WORDS.includes(value) || Object.keys(CALLS).includes(value);
  return typeof value === "number" && value % 1 === 0 && value >= 400 && value <= 599;
}

/** The retry of a service whose document says this. */
function loadedRetry(retry: unknown): RetryConfig | "off" | null | undefined {
  const { snapshot } = loadDocument({ apiVersion: "heddle/v1", services: { s: { retry } } }, "fuzz");
  return snapshot?.virtualHosts[0]?.routes[0]?.retry;
}

fuzz(
  "a document retries exactly on what it lists, or is refused",
  fc.tuple(fc.array(item, { maxLength: 4 }), fc.oneof(fc.integer({ min: -2, max: 12 }), fc.constant(undefined))),
  ([on, maxRetries]) => {
    const found = loadedRetry({ on, maxRetries });
    const isLegal = on.length > 0 && on.every(isCondition) && (maxRetries === undefined || (maxRetries >= 0 && maxRetries <= 10));
    if (!isLegal) expectSame(found, undefined, "a document with such conditions is refused");
    else expectSame(found && found !== "off" ? [found.on, found.maxRetries] : found, [on, maxRetries ?? 2]);
  },
);

type Outcome = Attempt["outcome"];
const OUTCOMES: readonly Outcome[] = [
  "response",
  "connect-failure",
  "refused-stream",
  "reset",
  "attempt-timeout",
  "protocol-error",
  "deadline",
  "cancelled",
  "breaker-open",
  "overloaded",
  "no-endpoint",
  "failed",
  "error",
];
const BROKEN: readonly Outcome[] = ["connect-failure", "refused-stream", "reset", "attempt-timeout"];

/** The table of the reference: which ends of a try each condition means. */
function isMet(condition: RetryConfig["on"][number], outcome: Outcome, status: number): boolean {
  const isAnswer = outcome === "response";
  const table: Readonly<Record<string, boolean>> = {
    "connect-failure": outcome === "connect-failure",
    "refused-stream": outcome === "refused-stream",
    reset: outcome === "reset" || outcome === "attempt-timeout",
    "attempt-timeout": outcome === "attempt-timeout",
    error: outcome === "error",
    "retriable-4xx": isAnswer && status === 409,
    "gateway-error": BROKEN.includes(outcome) || (isAnswer && [502, 503, 504].includes(status)),
    "5xx": BROKEN.includes(outcome) || (isAnswer && status >= 500),
  };
  return typeof condition === "number" ? isAnswer && status === condition : table[condition] === true;
}

/** The same of a gRPC call; `grpcStatus`: what it ended with, or what broke it, where that is known. */
function isMetByCall(condition: RetryConfig["on"][number], outcome: Outcome, grpcStatus: number | null): boolean {
  if (condition === "grpc:unavailable" && ["connect-failure", "refused-stream", "reset"].includes(outcome)) return true;
  if (condition === "grpc:deadline-exceeded" && outcome === "attempt-timeout") return true;
  return ["response", "reset", "protocol-error"].includes(outcome) && grpcStatus !== null && CALLS[condition] === grpcStatus;
}

const condition = fc.oneof(
  fc.constantFrom(...([...WORDS, ...Object.keys(CALLS)] as unknown as RetryConfig["on"])),
  fc.integer({ min: 400, max: 599 }),
);
const config: fc.Arbitrary<RetryConfig> = fc.record({
  maxRetries: fc.integer({ min: 0, max: 3 }),
  on: fc.array(condition, { maxLength: 3 }),
  methods: fc.subarray(["GET", "PUT", "POST"]),
  perTryTimeoutMs: fc.constant(null),
  backoff: fc.constant({ baseMs: 25, maxMs: 250 }),
  retryAfterMaxMs: fc.constantFrom(1, 5_000),
});
const facts = fc.record({
  outcome: fc.constantFrom(...OUTCOMES),
  status: fc.constantFrom(200, 404, 409, 429, 500, 502, 503, 504, 599),
  wasSent: fc.boolean(),
  reusedConnection: fc.boolean(),
  isRpc: fc.boolean(),
  grpcStatus: fc.constantFrom(null, 0, 1, 2, 4, 5, 10, 13, 14),
  method: fc.constantFrom("GET", "PUT", "POST", "constructor", ""),
  isReplayable: fc.boolean(),
  isDeclaredIdempotent: fc.boolean(),
  isNested: fc.boolean(),
  wasRetriedBelow: fc.boolean(),
  retries: fc.nat(4),
  transparentRetries: fc.nat(4),
  transparentRetriesHere: fc.nat(2),
  retryAfterMs: fc.constantFrom(null, 0, 1, 5_000, 5_001, 1e12, Number.POSITIVE_INFINITY),
});

fuzz("is tried again exactly where the reference allows it", fc.tuple(fc.option(config), facts), ([retry, given]) => {
  const { outcome, status, grpcStatus, wasSent, reusedConnection, ...rest } = given;
  const attempt = Object.assign(new Attempt(1, 0), {
    outcome,
    status: outcome === "response" ? status : 0,
    grpcStatus,
    wasSent,
    reusedConnection,
  });
  const asked: unknown = { attempt, ...rest };
  const decision = decideRetry(retry, asked as TryFacts);
  const isNamed = given.isRpc
    ? (retry?.on ?? []).some((each) => String(each).startsWith("grpc:"))
    : (retry?.methods ?? ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]).includes(given.method);
  const isSafe = given.isDeclaredIdempotent || isNamed;
  const wasNotSent = outcome === "refused-stream" || (outcome === "connect-failure" && !wasSent);
  const wentStale = outcome === "reset" && reusedConnection && isSafe;
  const isTransparent =
    given.transparentRetries < 3 && given.transparentRetriesHere === 0 && given.isReplayable && (wasNotSent || wentStale);
  const isWanted =
    retry?.on.some((each) => isMet(each, outcome, attempt.status) || (given.isRpc && isMetByCall(each, outcome, grpcStatus))) ?? false;
  const isAllowed = isSafe && given.isReplayable && !given.isNested && !given.wasRetriedBelow && given.retries < (retry?.maxRetries ?? 0);
  const isInTime = (given.retryAfterMs ?? 0) <= (retry?.retryAfterMaxMs ?? 0);
  const expected = isTransparent ? "transparent" : isWanted && isAllowed && isInTime ? "retry" : "stop";
  expectSame(decision.kind, expected);
  if (decision.kind === "retry") expectSame(decision.atLeastMs, given.retryAfterMs ?? 0);
});
