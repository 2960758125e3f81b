import { formatDuration } from "../../duration.ts";
import { DEFAULT_BREAKER, DEFAULT_LIMITS, DEFAULT_OUTLIER, DEFAULT_RETRY, DEFAULT_RETRY_BUDGET } from "../../model/defaults.ts";
import { duration, type EitherKind, integer, type Key, list, MANY, type ObjectKind, offOr, oneOf, retryCondition, text } from "./kinds.ts";

const BREAKER = {
  consecutiveFailures: DEFAULT_BREAKER.consecutiveFailures ?? "off",
  failurePercent: DEFAULT_BREAKER.failurePercent ?? "off",
};

export const timeout: EitherKind = {
  kind: "either",
  scalar: duration,
  object: {
    kind: "object",
    name: "TimeoutDocument",
    doc: "Deadlines of a request. Written like this, `total` holds for event streams and upgrades too; a duration alone spares them once their head has come.",
    keys: {
      total: {
        doc: "From the call until the last response byte, over all tries.",
        kind: offOr(duration),
        absent: "none; an inherited deadline still applies",
      },
      head: { doc: "From the call until the response head, over all tries. At most the total.", kind: offOr(duration), default: "off" },
      idle: { doc: "Between two bytes of the response body; a slow reader's pauses do not count.", kind: offOr(duration), default: "off" },
    },
  },
};

const retryKeys: Readonly<Record<string, Key>> = {
  maxRetries: { doc: "Tries after the first.", kind: integer(0, 10), default: DEFAULT_RETRY.maxRetries },
  on: {
    doc: "What is tried again: conditions and statuses, in one list.",
    kind: list(retryCondition, 1),
    default: DEFAULT_RETRY.on,
  },
  methods: {
    doc: "Methods that may be repeated. Naming POST here says that repeating it is safe.",
    kind: list(text("method"), 1),
    default: DEFAULT_RETRY.methods,
  },
  perTryTimeout: { doc: "Until the response head of one try. At most the total.", kind: offOr(duration), default: "off" },
  backoff: {
    doc: "The wait before a retry.",
    kind: {
      kind: "object",
      name: "BackoffDocument",
      doc: "A random wait between zero and a bound that doubles with every retry (full jitter).",
      keys: {
        base: { doc: "The first bound.", kind: duration, default: formatDuration(DEFAULT_RETRY.backoff.baseMs) },
        max: { doc: "The bound grows no further. At least `base`.", kind: duration, default: formatDuration(DEFAULT_RETRY.backoff.maxMs) },
      },
    },
    absent: "its defaults",
  },
  retryAfter: {
    doc: "How an answer's Retry-After is honoured.",
    kind: {
      kind: "object",
      name: "RetryAfterDocument",
      doc: "A server that says when to come again.",
      keys: {
        max: {
          doc: "The longest Retry-After that is waited for; a longer one ends the tries.",
          kind: duration,
          default: formatDuration(DEFAULT_RETRY.retryAfterMaxMs),
        },
      },
    },
    absent: "its defaults",
  },
};

export const routeRetry: ObjectKind = {
  kind: "object",
  name: "RouteRetryDocument",
  doc: "What is tried again, and how often. Given for a route it replaces the service's as a whole.",
  keys: retryKeys,
  elsewhere: { budget: "the budget is shared by everything sent to a service: services.<name>.retry.budget" },
};

export const serviceRetry: ObjectKind = {
  kind: "object",
  name: "ServiceRetryDocument",
  doc: "What is tried again, and how often, for every route that has no `retry` of its own.",
  keys: {
    ...retryKeys,
    budget: {
      doc: "Bounds retries by the traffic there is, over all routes; per process.",
      kind: {
        kind: "object",
        name: "RetryBudgetDocument",
        doc: "Retries allowed over a window of 10 s. In force whether or not it is written, per service and subset.",
        keys: {
          percent: { doc: "Share of the requests.", kind: integer(0, 100), default: DEFAULT_RETRY_BUDGET.percent },
          minPerSecond: { doc: "Allowed on top.", kind: integer(0, MANY), default: DEFAULT_RETRY_BUDGET.minPerSecond },
        },
      },
      absent: "its defaults",
    },
  },
};

export const balancer: ObjectKind = {
  kind: "object",
  name: "BalancerDocument",
  doc: "How an endpoint is picked.",
  keys: {
    policy: {
      doc: "The algorithm.",
      kind: oneOf(["peak-ewma", "least-request", "round-robin", "random"], ["ring-hash", "maglev"], ["custom:"]),
      default: "peak-ewma",
    },
  },
  later: ["locality", "hashOn"],
};

export const limits: ObjectKind = {
  kind: "object",
  name: "LimitsDocument",
  doc: "How much may be under way; per process.",
  keys: {
    maxConnections: { doc: "Connections to one endpoint.", kind: integer(1, 65_535), default: DEFAULT_LIMITS.maxConnections },
    maxPending: { doc: "Requests waiting for a connection.", kind: integer(0, MANY), default: DEFAULT_LIMITS.maxPending },
    maxRequests: { doc: "Requests in flight.", kind: offOr(integer(1, MANY)), default: DEFAULT_LIMITS.maxRequests ?? "off" },
  },
};

export const breaker: ObjectKind = {
  kind: "object",
  name: "BreakerDocument",
  doc: "Stops calling a service that fails as a whole; per process.",
  keys: {
    consecutiveFailures: {
      doc: "Open after so many failures in a row.",
      kind: offOr(integer(1, MANY)),
      default: BREAKER.consecutiveFailures,
    },
    failurePercent: {
      doc: "Open when this share of at least `minRequests` within `window` failed.",
      kind: offOr(integer(1, 100)),
      default: BREAKER.failurePercent,
    },
    minRequests: { doc: "Fewer requests say nothing about the share.", kind: integer(1, MANY), default: DEFAULT_BREAKER.minRequests },
    window: { doc: "What the share is counted over.", kind: duration, default: formatDuration(DEFAULT_BREAKER.windowMs) },
    engine: {
      doc: "What decides. `opossum`: the package of that name, which counts no failures in a row, so that `consecutiveFailures` is off.",
      kind: oneOf(["native", "opossum"]),
      default: DEFAULT_BREAKER.engine,
    },
    openFor: { doc: "Until one request is let through as a probe.", kind: duration, default: formatDuration(DEFAULT_BREAKER.openForMs) },
  },
  later: ["mode"],
};

export const outlier: ObjectKind = {
  kind: "object",
  name: "OutlierDocument",
  doc: "Stops picking endpoints that fail, for a while. The last endpoint is never ejected.",
  keys: {
    consecutiveFailures: {
      doc: "Ejected after so many failures in a row.",
      kind: integer(1, MANY),
      default: DEFAULT_OUTLIER.consecutiveFailures,
    },
    interval: {
      doc: "For each so long without an ejection, the growth of ejections goes one step back.",
      kind: duration,
      default: formatDuration(DEFAULT_OUTLIER.intervalMs),
    },
    baseEjection: {
      doc: "The first ejection; grows with every further one.",
      kind: duration,
      default: formatDuration(DEFAULT_OUTLIER.baseEjectionMs),
    },
    maxEjection: {
      doc: "The longest ejection. At least `baseEjection`, and raised to it where not written.",
      kind: duration,
      default: formatDuration(DEFAULT_OUTLIER.maxEjectionMs),
    },
    maxEjectionPercent: {
      doc: "Share of the endpoints that may be out at once.",
      kind: integer(0, 100),
      default: DEFAULT_OUTLIER.maxEjectionPercent,
    },
  },
  later: ["mode"],
};
