import { formatDuration } from "./duration.ts";
import { formatFraction } from "./fraction.ts";
import type { Backend, BreakerConfig, FailureConfig, LimitsConfig, OutlierConfig, TlsSettings } from "./model/backend.ts";
import type { FallbackPolicy, FaultPolicy, RetryConfig, TimeoutPolicy } from "./model/route.ts";

// Policies in words, for whoever asks what is in force.

export function describeTimeout({ totalMs, headMs, idleMs, sparesStreams }: TimeoutPolicy): string {
  if (totalMs !== null && sparesStreams) return formatDuration(totalMs);
  const parts = [
    totalMs === null ? "" : `total ${formatDuration(totalMs)}`,
    headMs === null ? "" : `head ${formatDuration(headMs)}`,
    idleMs === null ? "" : `idle ${formatDuration(idleMs)}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

export function describeRetry(retry: RetryConfig | "off" | null): string {
  if (retry === "off") return "off";
  if (retry === null) return "transparent retries only";
  const perTry = retry.perTryTimeoutMs === null ? "" : `, ${formatDuration(retry.perTryTimeoutMs)} per try`;
  return `up to ${retry.maxRetries} on ${retry.on.join(", ")} for ${retry.methods.join(", ")}${perTry}`;
}

export function describeFault({ delay, abort, byHeader }: FaultPolicy): string {
  const parts = [
    delay === null ? "" : `${formatFraction(delay.fraction)} delayed by ${formatDuration(delay.durationMs)}`,
    abort === null ? "" : `${formatFraction(abort.fraction)} answered ${describeAbort(abort)}`,
    byHeader ? "as the request's headers ask" : "",
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function describeAbort({ status, grpc }: NonNullable<FaultPolicy["abort"]>): string {
  const statuses = [...(status === null ? [] : [String(status)]), ...(grpc === null ? [] : [`grpc:${grpc}`])];
  return statuses.join(" or ");
}

export function describeFallback({ on, action }: FallbackPolicy): string {
  return `on ${on.join(", ")}: ${action.kind === "respond" ? `answers ${action.status}` : `asks ${action.backend}`}`;
}

export function describeBreaker(breaker: BreakerConfig | null, state: string): string {
  if (breaker === null) return "none";
  const rules: string[] = [];
  if (breaker.consecutiveFailures !== null) rules.push(`${breaker.consecutiveFailures} failures in a row`);
  if (breaker.failurePercent !== null) {
    rules.push(`${breaker.failurePercent}% of at least ${breaker.minRequests} within ${formatDuration(breaker.windowMs)}`);
  }
  return `${state}; opens for ${formatDuration(breaker.openForMs)} after ${rules.join(" or ")}`;
}

export function describeOutlier(outlier: OutlierConfig | null): string {
  if (outlier === null) return "off";
  return `ejects for ${formatDuration(outlier.baseEjectionMs)} and longer after ${outlier.consecutiveFailures} failures in a row, at most ${outlier.maxEjectionPercent}%`;
}

export function describeLimits({ maxConnections, maxPending, maxRequests }: LimitsConfig): string {
  const pending = maxPending === Number.POSITIVE_INFINITY ? "unlimited" : maxPending;
  return `maxConnections ${maxConnections} per endpoint, maxPending ${pending}, maxRequests ${maxRequests ?? "unlimited"}`;
}

export function describeFailure({ statuses, grpc, slowerThanMs }: FailureConfig, protocol: Backend["protocol"]): string {
  const slow = slowerThanMs === null ? [] : [`heads slower than ${formatDuration(slowerThanMs)}`];
  const answers = protocol === "grpc" ? grpc.map((name) => `grpc:${name}`) : statuses;
  return [...answers, ...slow].join(", ") || "no answer";
}

/** `mode`: in this process. */
export function describeTls({ identities, subjectAltNames }: TlsSettings, mode: "simple" | "mutual" | null): string {
  if (mode === null) return "plain text";
  if (mode === "mutual") return `mutual TLS with ${identities.join(" or ")}`;
  return `TLS with a server whose certificate is for ${subjectAltNames.length === 0 ? "the host of the request" : subjectAltNames.join(" or ")}`;
}
