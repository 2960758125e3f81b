import { type Duration, parseDuration } from "../../duration.ts";
import type {
  BreakerDocument,
  LimitsDocument,
  OutlierDocument,
  RouteDocument,
  RouteRetryDocument,
  ServiceRetryDocument,
} from "../../gen/document.ts";
import type { BreakerConfig, LimitsConfig, OutlierConfig, RetryBudgetConfig } from "../../model/backend.ts";
import { DEFAULT_BREAKER, DEFAULT_LIMITS, DEFAULT_OUTLIER, DEFAULT_RETRY, DEFAULT_RETRY_BUDGET, UNLIMITED } from "../../model/defaults.ts";
import type { RetryConfig, TimeoutPolicy } from "../../model/route.ts";

// From what a checked document says, and does not say, to complete settings.

export function milliseconds(value: Duration | undefined, absent: number): number {
  return value === undefined ? absent : (parseDuration(value) ?? absent);
}

function unlessOff<T>(value: T | "off" | undefined, absent: T | null): T | null {
  if (value === "off") return null;
  return value ?? absent;
}

export function timeoutPolicy(document: RouteDocument["timeout"]): TimeoutPolicy | null {
  if (document === undefined || document === "off") return null;
  if (typeof document !== "object") return { totalMs: milliseconds(document, 0), headMs: null, idleMs: null, sparesStreams: true };
  const policy = { totalMs: orOff(document.total), headMs: orOff(document.head), idleMs: orOff(document.idle), sparesStreams: false };
  return policy.totalMs === null && policy.headMs === null && policy.idleMs === null ? null : policy;
}

function orOff(value: Duration | "off" | undefined): number | null {
  return value === undefined || value === "off" ? null : milliseconds(value, 0);
}

export function retryConfig(document: RouteRetryDocument | "off" | undefined): RetryConfig | "off" | null {
  if (document === undefined) return null;
  if (document === "off") return "off";
  return {
    maxRetries: document.maxRetries ?? DEFAULT_RETRY.maxRetries,
    on: document.on ?? DEFAULT_RETRY.on,
    methods: document.methods ?? DEFAULT_RETRY.methods,
    perTryTimeoutMs: orOff(document.perTryTimeout),
    backoff: {
      baseMs: milliseconds(document.backoff?.base, DEFAULT_RETRY.backoff.baseMs),
      maxMs: milliseconds(document.backoff?.max, DEFAULT_RETRY.backoff.maxMs),
    },
    retryAfterMaxMs: milliseconds(document.retryAfter?.max, DEFAULT_RETRY.retryAfterMaxMs),
  };
}

export function retryBudget(document: ServiceRetryDocument | "off" | undefined): RetryBudgetConfig {
  const budget = document === "off" ? undefined : document?.budget;
  return {
    percent: budget?.percent ?? DEFAULT_RETRY_BUDGET.percent,
    minPerSecond: budget?.minPerSecond ?? DEFAULT_RETRY_BUDGET.minPerSecond,
  };
}

export function limitsConfig(document: LimitsDocument | "off" | undefined): LimitsConfig {
  if (document === "off") return UNLIMITED;
  return {
    maxConnections: document?.maxConnections ?? DEFAULT_LIMITS.maxConnections,
    maxPending: document?.maxPending ?? DEFAULT_LIMITS.maxPending,
    maxRequests: unlessOff(document?.maxRequests, DEFAULT_LIMITS.maxRequests),
  };
}

export function breakerConfig(document: BreakerDocument | "off" | undefined): BreakerConfig | null {
  if (document === undefined || document === "off") return null;
  const engine = document.engine ?? DEFAULT_BREAKER.engine;
  return {
    engine,
    consecutiveFailures: engine === "opossum" ? null : unlessOff(document.consecutiveFailures, DEFAULT_BREAKER.consecutiveFailures),
    failurePercent: unlessOff(document.failurePercent, DEFAULT_BREAKER.failurePercent),
    minRequests: document.minRequests ?? DEFAULT_BREAKER.minRequests,
    windowMs: milliseconds(document.window, DEFAULT_BREAKER.windowMs),
    openForMs: milliseconds(document.openFor, DEFAULT_BREAKER.openForMs),
  };
}

export function outlierConfig(document: OutlierDocument | "off" | undefined): OutlierConfig | null {
  if (document === "off") return null;
  const baseEjectionMs = milliseconds(document?.baseEjection, DEFAULT_OUTLIER.baseEjectionMs);
  return {
    consecutiveFailures: document?.consecutiveFailures ?? DEFAULT_OUTLIER.consecutiveFailures,
    intervalMs: milliseconds(document?.interval, DEFAULT_OUTLIER.intervalMs),
    baseEjectionMs,
    maxEjectionMs: milliseconds(document?.maxEjection, Math.max(DEFAULT_OUTLIER.maxEjectionMs, baseEjectionMs)),
    maxEjectionPercent: document?.maxEjectionPercent ?? DEFAULT_OUTLIER.maxEjectionPercent,
  };
}
