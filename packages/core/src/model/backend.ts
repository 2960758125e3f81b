import type { GrpcStatusName } from "./grpc-status.ts";
import type { Origin } from "./route.ts";

/** How the endpoints of a backend are spoken to. */
export interface TlsSettings {
  /**
   * `disable`: plain text. `simple`: verifies the server by its names, presents nothing. `mutual`: both prove a SPIFFE ID.
   * `automatic`: mutual in a process that has an identity, disable in one that has none. `demanded`: automatic, of a service that is known
   * to refuse plain text: a process that has no identity takes the configuration, and refuses the calls.
   */
  readonly mode: "disable" | "automatic" | "demanded" | "simple" | "mutual";
  /** Patterns of the SPIFFE IDs that servers may bear (mutual); none: nobody's, which a mutual backend must not have. */
  readonly identities: readonly string[];
  /** Names, of which the certificate must have one (simple). None: the host of the request. */
  readonly subjectAltNames: readonly string[];
  /** Who may have signed it (simple). */
  readonly authorities: { readonly kind: "system" } | { readonly kind: "file"; readonly path: string };
  /** The name asked for in the handshake; null: the host of the request. */
  readonly sni: string | null;
}

/** `custom:` and a name: the code of the process gives it by that name. */
export type BalancerPolicy = "peak-ewma" | "least-request" | "round-robin" | "random" | `custom:${string}`;

export interface BreakerConfig {
  /** What decides: the mesh itself, or opossum, which counts no failures in a row. */
  readonly engine: "native" | "opossum";
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
  /** Per endpoint; 65,535 is no limit: more do not fit between two addresses. */
  readonly maxConnections: number;
  /** Requests that wait for a connection, per backend; Infinity: unlimited. */
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

/** Which answers count as failures, for breaker, outlier detection and metrics alike. Broken connections and timeouts always do. */
export interface FailureConfig {
  readonly statuses: readonly StatusPattern[];
  /** Of gRPC calls, in place of `statuses`: what they end with. */
  readonly grpc: readonly GrpcStatusName[];
  /** Also every answer whose head took longer; null: however slow. */
  readonly slowerThanMs: number | null;
}

/** A status, or every status that begins with this digit. */
export type StatusPattern = number | "1xx" | "2xx" | "3xx" | "4xx" | "5xx";

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
  readonly tls: TlsSettings;
  readonly connectTimeoutMs: number;
  readonly balancer: { readonly policy: BalancerPolicy };
  readonly limits: LimitsConfig;
  readonly breaker: BreakerConfig | null;
  readonly outlier: OutlierConfig | null;
  readonly retryBudget: RetryBudgetConfig;
  readonly failure: FailureConfig;
  /** How long a request waits for an endpoint where none is known; 0: not at all. */
  readonly emptyWaitMs: number;
  /** A policy that the code of the process gives by this name stands around the tries; null: none. */
  readonly namedPolicy: string | null;
  readonly origin: Origin;
  /** Where each policy in force was written, by its name in the document; one that is not named here is the default. */
  readonly policyFrom: Readonly<Record<string, Origin>>;
}
