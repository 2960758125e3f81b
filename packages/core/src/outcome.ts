import type { Attempt, AttemptOutcome } from "./context.ts";
import { MeshError } from "./errors.ts";
import type { StatusPattern } from "./model/backend.ts";
import { DEFAULT_FAILURE } from "./model/defaults.ts";
import { grpcStatusName } from "./model/grpc-status.ts";
import { shortageWords } from "./shortage.ts";
import type { TransportFailureKind } from "./transport.ts";
import { TransportFailure } from "./transport.ts";

/** What a finished try says about its endpoint and backend. `neutral`: nothing (the caller left, the mesh refused, our own event loop was late, we ran out of something). */
export type Verdict = "success" | "failure" | "neutral";

/**
 * The one classifier of breaker, outlier detection and the failures that `inspect()` counts for an endpoint: connect failure, reset,
 * protocol error and timeouts are failures, and of the answers those that the backend's `failure` names, 5xx unless it says otherwise.
 * Of a gRPC call it is what the call ended with that counts, and until that is known, that it was answered.
 */
export function verdictOf(attempt: Attempt): Verdict {
  switch (attempt.outcome) {
    case "response":
      return isFailedAnswer(attempt) ? "failure" : "success";
    case "connect-failure":
      return attempt.shortage === null ? "failure" : "neutral";
    case "refused-stream":
    case "protocol-error":
    case "error":
      return "failure";
    // All kept connections to an endpoint go at once: what died with one that was counted is counted with it.
    case "reset":
      return attempt.isOldNews ? "neutral" : "failure";
    case "attempt-timeout":
    case "deadline":
      return attempt.wasLate ? "neutral" : "failure";
    case "pending":
    case "cancelled":
    case "breaker-open":
    case "overloaded":
    case "no-endpoint":
    case "failed":
      return "neutral";
    default:
      return attempt.outcome satisfies never;
  }
}

function isFailedAnswer(attempt: Attempt): boolean {
  const { status, grpcStatus, elapsedMs, blockedMs, failure } = attempt;
  if (grpcStatus !== null) return isFailedCall(attempt, grpcStatus);
  if (failure === null) return status >= 500;
  if (failure.slowerThanMs !== null && elapsedMs - blockedMs > failure.slowerThanMs) return true;
  for (const pattern of failure.statuses) if (matchesStatus(pattern, status)) return true;
  return false;
}

function isFailedCall({ elapsedMs, blockedMs, failure }: Attempt, grpcStatus: number): boolean {
  const { grpc, slowerThanMs } = failure ?? DEFAULT_FAILURE;
  return grpc.includes(grpcStatusName(grpcStatus)) || (slowerThanMs !== null && elapsedMs - blockedMs > slowerThanMs);
}

export function matchesStatus(pattern: StatusPattern, status: number): boolean {
  return typeof pattern === "number" ? pattern === status : pattern.charCodeAt(0) - 48 === Math.floor(status / 100);
}

/** The name of a failure before or after the head. */
export function outcomeOfError(error: unknown, isCancelled: boolean): AttemptOutcome {
  if (error instanceof TransportFailure) return error.kind;
  if (error instanceof MeshError) {
    switch (error.code) {
      case "attempt_timeout":
        return "attempt-timeout";
      case "deadline_exceeded":
        return "deadline";
      case "breaker_open":
        return "breaker-open";
      case "overloaded":
        return "overloaded";
      case "no_endpoint":
        return "no-endpoint";
      case "connect_failed":
        return "connect-failure";
      case "connection_reset":
        return "reset";
      case "protocol_error":
        return "protocol-error";
      default:
        return "failed";
    }
  }
  return isCancelled ? "cancelled" : "failed";
}

const CODES: Readonly<Record<TransportFailureKind, "connect_failed" | "connection_reset" | "protocol_error">> = {
  "connect-failure": "connect_failed",
  "refused-stream": "connection_reset",
  reset: "connection_reset",
  "protocol-error": "protocol_error",
};

const WORDS: Readonly<Record<TransportFailureKind, string>> = {
  "connect-failure": "could not connect to",
  "refused-stream": "refused unprocessed by",
  reset: "connection broken by",
  "protocol-error": "not understood: answer of",
};

/** Puts the endpoint into a transport's failure; every other error passes unchanged. */
export function atEndpoint(error: unknown, what: string, address: string): unknown {
  if (!(error instanceof TransportFailure)) return error;
  return new MeshError(
    CODES[error.kind],
    `${what}: ${WORDS[error.kind]} ${address}: ${error.message}${error.kind === "connect-failure" ? shortageWords(error) : ""}`,
    { cause: error, grpcStatus: error.grpcStatus },
  );
}
