import type { Attempt } from "../context.ts";
import { IDEMPOTENT_METHODS } from "../model/defaults.ts";
import { grpcOutcome, isGrpcOutcome } from "../model/grpc-status.ts";
import type { GrpcCondition, RetryCondition, RetryConfig } from "../model/route.ts";

/** What the decision is made from. */
export interface TryFacts {
  readonly attempt: Attempt;
  readonly method: string;
  /** It is a gRPC call, whose method says nothing. */
  readonly isRpc: boolean;
  /** The body can be sent again as it was. */
  readonly isReplayable: boolean;
  /** The caller says that repeating is safe. */
  readonly isDeclaredIdempotent: boolean;
  /** The inbound request this call is made in is itself a retry. */
  readonly isNested: boolean;
  /** The answer says that it comes from retries further down. */
  readonly wasRetriedBelow: boolean;
  /** Counted retries so far. */
  readonly retries: number;
  /** Transparent retries so far, of the request and because of this endpoint. */
  readonly transparentRetries: number;
  readonly transparentRetriesHere: number;
  /** What the answer asked for; null: nothing; Infinity: not to be tried again. */
  readonly retryAfterMs: number | null;
}

export type RetryDecision =
  /** Repeat at once, outside of maxRetries and budget. */
  | { readonly kind: "transparent"; readonly why: string }
  /** Repeat after the backoff, or after `atLeastMs` if that is longer, if the budget allows. */
  | { readonly kind: "retry"; readonly atLeastMs: number; readonly why: string }
  /** `isSpent`: it would be repeated, but was, here or further down: whoever repeats it above multiplies retries. */
  | { readonly kind: "stop"; readonly why: string; readonly isSpent: boolean };

export const MAX_TRANSPARENT_RETRIES = 3;

/** Decides after each try that did not succeed whether there is another. Pure: time, budget and sleeping are the driver's. */
export function decideRetry(config: RetryConfig | null, facts: TryFacts): RetryDecision {
  const { attempt } = facts;
  const transparent = transparentReason(config, facts);
  if (transparent) return { kind: "transparent", why: transparent };
  if (config === null || config.maxRetries === 0) return stop("no retry policy");
  if (!config.on.some((condition) => meets(condition, attempt, facts.isRpc))) return stop("no retry condition met");
  if (!isSafe(config, facts)) return stop(whyUnsafe(facts));
  if (!facts.isReplayable) return stop("the body cannot be sent again");
  if (facts.isNested) return stop("the caller is itself a retry");
  if (facts.wasRetriedBelow) return stop("already retried further down", true);
  if (facts.retries >= config.maxRetries) return stop(`${facts.retries} of ${config.maxRetries} retries used`, true);
  const after = facts.retryAfterMs ?? 0;
  if (after === Number.POSITIVE_INFINITY) return stop("the server asked not to be tried again");
  if (after > config.retryAfterMaxMs)
    return stop(`${facts.isRpc ? "grpc-retry-pushback-ms" : "Retry-After"} of ${after}ms is over ${config.retryAfterMaxMs}ms`);
  return { kind: "retry", atLeastMs: after, why: "retried" };
}

function stop(why: string, isSpent = false): RetryDecision {
  return { kind: "stop", why, isSpent };
}

/**
 * Nothing was sent, or a kept-alive connection died before a single response byte and the request is idempotent (RFC 9110 9.2.2).
 * At most one for each endpoint and three for each request, so that these cannot multiply either.
 * What this process lacks, it lacks at once at every endpoint: trying the next would only hammer.
 */
function transparentReason(config: RetryConfig | null, facts: TryFacts): string | null {
  const { attempt } = facts;
  if (facts.transparentRetries >= MAX_TRANSPARENT_RETRIES || facts.transparentRetriesHere >= 1) return null;
  const isElsewhereToo = attempt.shortage !== null && attempt.shortage !== "ports";
  const neverProcessed =
    attempt.outcome === "refused-stream" || (attempt.outcome === "connect-failure" && !attempt.wasSent && !isElsewhereToo);
  if (neverProcessed && facts.isReplayable) return "repeated: nothing was sent";
  const wentStale = attempt.outcome === "reset" && attempt.reusedConnection;
  if (wentStale && facts.isReplayable && isSafe(config, facts)) return "repeated: a reused connection had died";
  return null;
}

/** Every gRPC call is a POST: naming what calls end with is how a route says that they may be repeated. */
function isSafe(config: RetryConfig | null, facts: TryFacts): boolean {
  if (facts.isDeclaredIdempotent) return true;
  return facts.isRpc ? mayRepeatCalls(config) : (config?.methods ?? IDEMPOTENT_METHODS).includes(facts.method);
}

/** Whether repeating gRPC calls that may have been acted on has been agreed to. */
export function mayRepeatCalls(config: RetryConfig | null): boolean {
  return config?.on.some(isGrpcOutcome) === true;
}

function whyUnsafe({ method, isRpc }: TryFacts): string {
  if (isRpc) return "retry.on names no grpc: condition, so calls are not repeated";
  return method === "" ? "nobody said that it may be repeated" : `${method} is not retried`;
}

/**
 * Envoy's conditions. `reset` is no answer at all, whether the connection broke or the try timed out; `5xx` and `gateway-error`
 * include what a proxy would have answered 503 or 504 for.
 */
function meets(condition: RetryCondition, attempt: Attempt, isRpc: boolean): boolean {
  const { outcome, status } = attempt;
  if (isGrpcOutcome(condition)) return isRpc && meetsGrpc(condition, attempt);
  if (typeof condition === "number") return outcome === "response" && status === condition;
  switch (condition) {
    case "connect-failure":
    case "refused-stream":
      return outcome === condition;
    case "attempt-timeout":
    case "error":
      return outcome === condition;
    case "reset":
      return outcome === "reset" || outcome === "attempt-timeout";
    case "retriable-4xx":
      return outcome === "response" && status === 409;
    case "gateway-error":
      return isNoAnswer(attempt) || (outcome === "response" && status >= 502 && status <= 504);
    case "5xx":
      return isNoAnswer(attempt) || (outcome === "response" && status >= 500);
    default:
      return condition satisfies never;
  }
}

/** What the call ended with, and what it would have ended with where there was no answer. */
function meetsGrpc(condition: GrpcCondition, { outcome, grpcStatus }: Attempt): boolean {
  const isKnown = outcome === "response" || outcome === "reset" || outcome === "protocol-error";
  if (isKnown && grpcStatus !== null && condition === grpcOutcome(grpcStatus)) return true;
  if (condition === "grpc:deadline-exceeded") return outcome === "attempt-timeout";
  return condition === "grpc:unavailable" && (outcome === "connect-failure" || outcome === "refused-stream" || outcome === "reset");
}

function isNoAnswer({ outcome }: Attempt): boolean {
  return outcome === "connect-failure" || outcome === "refused-stream" || outcome === "reset" || outcome === "attempt-timeout";
}
