import type { Origin } from "./route.ts";

export interface TlsSettings {
  /** `simple` verifies the server only; `mutual` presents this process's certificate too. */
  readonly mode: "simple" | "mutual";
  readonly serverName: string | null;
  /** SPIFFE IDs the server may have. */
  readonly identities: readonly string[];
}

export type BalancerPolicy = "peak-ewma" | "least-request" | "round-robin" | "random";

export interface BreakerConfig {
  /** Open after so many failures in a row; null: not counted. */
  readonly consecutiveFailures: number | null;
  /** Open when this share (1 to 100) of at least `minRequests` within the window failed; null: not counted. */
  readonly failurePercent: number | null;
  readonly minRequests: number;
  readonly windowMs: number;
  readonly openForMs: number;
}

export interface OutlierConfig {
  readonly consecutiveFailures: number;
  readonly intervalMs: number;
  readonly baseEjectionMs: number;
  readonly maxEjectionMs: number;
  /** 0 to 100. The last endpoint is never ejected. */
  readonly maxEjectionPercent: number;
}

export interface LimitsConfig {
  /** Per endpoint. */
  readonly maxConnections: number;
  /** Requests that wait for a connection, per backend. */
  readonly maxPending: number;
  /** Requests in flight, per backend; null: unlimited. */
  readonly maxRequests: number | null;
}

export interface RetryBudgetConfig {
  /** Retries allowed, as a share of requests over the last 10 s; 0 to 100. */
  readonly percent: number;
  /** Allowed on top, so that services with little traffic can retry at all. */
  readonly minPerSecond: number;
}

/** What requests are balanced over, and what protects it: a service, or a service and a subset of its endpoints. xDS calls it cluster. */
export interface Backend {
  readonly name: string;
  /** The service it belongs to, for telemetry. */
  readonly service: string;
  readonly subset: string | null;
  /** Name of an endpoint set of the same snapshot. */
  readonly endpointSet: string;
  /** Only endpoints with all of these labels. */
  readonly selector: Readonly<Record<string, string>>;
  readonly protocol: "http1" | "http2" | "grpc";
  readonly tls: TlsSettings | null;
  readonly connectTimeoutMs: number;
  readonly balancer: { readonly policy: BalancerPolicy };
  readonly limits: LimitsConfig;
  readonly breaker: BreakerConfig | null;
  readonly outlier: OutlierConfig | null;
  readonly retryBudget: RetryBudgetConfig;
  readonly origin: Origin;
}
