import type { BreakerConfig, FailureConfig, LimitsConfig, OutlierConfig, RetryBudgetConfig, TlsSettings } from "./backend.ts";
import { JWT_ALGORITHMS, type JwksLocation, type JwtRule } from "./jwt.ts";
import type { ResourceLimits } from "./resource.ts";
import type { RetryConfig } from "./route.ts";

// What absent settings mean: the one table.

export const DEFAULT_LIMITS: LimitsConfig = { maxConnections: 100, maxPending: 1000, maxRequests: null };

/** What `limits: off` means. */
export const UNLIMITED: LimitsConfig = { maxConnections: 65_535, maxPending: Number.POSITIVE_INFINITY, maxRequests: null };

/** In force where a document says `outlier` or nothing. */
export const DEFAULT_OUTLIER: OutlierConfig = {
  consecutiveFailures: 5,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 50,
};

/** What `breaker: {}` means; absent is no breaker. */
export const DEFAULT_BREAKER: BreakerConfig = {
  engine: "native",
  consecutiveFailures: 5,
  failurePercent: 50,
  minRequests: 20,
  windowMs: 10_000,
  openForMs: 10_000,
};

export const DEFAULT_RETRY_BUDGET: RetryBudgetConfig = { percent: 20, minPerSecond: 1 };

/** More calls than `maxRequests` are refused rather than queued, as those of services are. */
export const DEFAULT_RESOURCE_LIMITS: ResourceLimits = { maxRequests: null, maxPending: 0 };

/** RFC 9110 9.2.2; TRACE left out, as everywhere. */
export const IDEMPOTENT_METHODS: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];

/** What `retry: {}` means; absent is transparent retries only. */
export const DEFAULT_RETRY: RetryConfig = {
  maxRetries: 2,
  on: ["connect-failure", "refused-stream", "reset", 503],
  methods: IDEMPOTENT_METHODS,
  perTryTimeoutMs: null,
  backoff: { baseMs: 25, maxMs: 250 },
  retryAfterMaxMs: 5_000,
};

/** What counts as a failure where nothing is said. */
export const DEFAULT_FAILURE: FailureConfig = {
  statuses: ["5xx"],
  grpc: ["unknown", "deadline-exceeded", "internal", "unavailable", "data-loss"],
  slowerThanMs: null,
};

/** A copy of a request without a total timeout of its own is given up after this. */
export const DEFAULT_MIRROR_TIMEOUT_MS = 10_000;
/** The longest delay that a request may ask for. */
export const MAX_FAULT_DELAY_MS = 60_000;

export const DEFAULT_CONNECT_TIMEOUT_MS = 2_000;
export const DEFAULT_START_TIMEOUT_MS = 10_000;

export const PLAINTEXT: TlsSettings = {
  mode: "disable",
  identities: [],
  subjectAltNames: [],
  authorities: { kind: "system" },
  sni: null,
};

/** What a rule for tokens says unless the document does. Any algorithm: the issuer's keys decide, each of which fits few. */
export const DEFAULT_JWT: Pick<JwtRule, "audiences" | "algorithms" | "from" | "clockSkewMs" | "forward" | "claimHeaders"> = {
  audiences: [],
  algorithms: JWT_ALGORITHMS,
  from: [{ header: "authorization", prefix: "Bearer " }],
  clockSkewMs: 60_000,
  forward: false,
  claimHeaders: [],
};

/** The same for keys behind a URL. */
export const DEFAULT_REMOTE_JWKS: Omit<Extract<JwksLocation, { kind: "remote" }>, "kind" | "url"> = {
  maxAgeMs: 300_000,
  cooldownMs: 30_000,
  timeoutMs: 5_000,
  staleIfErrorMs: 3_600_000,
};
