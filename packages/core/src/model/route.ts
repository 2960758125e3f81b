import type { GrpcOutcome, GrpcStatusName } from "./grpc-status.ts";
import type { Fraction, RouteMatch } from "./match.ts";

/** Where something in the model was written, for people: `mesh.yaml:12:5`, or a resource's name. */
export type Origin = string;

export interface Route {
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: RouteAction;
  /** null: none of its own beside an inherited deadline. */
  readonly timeout: TimeoutPolicy | null;
  /** null: transparent retries only. `off`: not even those. */
  readonly retry: RetryConfig | "off" | null;
  readonly headers: HeaderOperations | null;
  readonly fault: FaultPolicy | null;
  readonly mirrors: readonly MirrorPolicy[];
  readonly fallback: FallbackPolicy | null;
  /** What requests with the same key have in common; read by hashing balancers. */
  readonly hashOn: readonly HashPolicy[];
  readonly origin: Origin;
  /** Where each policy in force was written, by its name in the document; one that is not named here is the default. */
  readonly policyFrom: Readonly<Record<string, Origin>>;
}

export type RouteAction =
  | { readonly kind: "forward"; readonly to: readonly WeightedBackend[]; readonly rewrite: Rewrite | null }
  | {
      readonly kind: "redirect";
      readonly status: 301 | 302 | 303 | 307 | 308;
      readonly scheme: "http" | "https" | null;
      readonly host: string | null;
      readonly port: number | null;
      /** Replaces the whole path, what the route's prefix match matched, or what an expression matches. */
      readonly path:
        | { readonly kind: "replace" | "prefix"; readonly value: string }
        | { readonly kind: "regex"; readonly pattern: string; readonly value: string }
        | null;
      readonly stripQuery: boolean;
    }
  | { readonly kind: "respond"; readonly status: number; readonly body: string | null; readonly headers: Readonly<Record<string, string>> };

export interface WeightedBackend {
  /** Name of a backend of the same snapshot. */
  readonly backend: string;
  /** Share relative to the others; 0 takes no traffic. */
  readonly weight: number;
  readonly headers: HeaderOperations | null;
}

/** Changes the path, in at most one way, and/or the authority. */
export interface Rewrite {
  /** Replaces what the route's prefix match matched. */
  readonly prefix: string | null;
  /** Replaces the whole path. */
  readonly path: string | null;
  readonly regex: RegexRewrite | null;
  readonly authority: string | null;
}

/** Replaces every match of an expression (RE2 syntax) in the path without its query. */
export interface RegexRewrite {
  readonly pattern: string;
  /** `\1` to `\9` stand for groups, `\0` for the whole match, `\\` for a backslash, as in Envoy. */
  readonly substitution: string;
}

/** Applied in this order: set, add, remove. Values are literal. */
export interface HeaderEdit {
  readonly set: Readonly<Record<string, string>>;
  readonly add: Readonly<Record<string, string>>;
  readonly remove: readonly string[];
}

export interface HeaderOperations {
  readonly request: HeaderEdit | null;
  readonly response: HeaderEdit | null;
}

/** Milliseconds; null is unlimited. */
export interface TimeoutPolicy {
  /** Until the last response byte, over all tries. */
  readonly totalMs: number | null;
  /** Until the response head, over all tries. */
  readonly headMs: number | null;
  /** Between two bytes of the response body. A slow reader's pauses do not count. */
  readonly idleMs: number | null;
  /** The total ends with the head of an answer that may go on for ever: an event stream, an upgrade. */
  readonly sparesStreams: boolean;
}

/** Faults made on purpose: first the delay, then the abort, as Envoy's fault filter. */
export interface FaultPolicy {
  readonly delay: { readonly fraction: Fraction; readonly durationMs: number } | null;
  /** `grpc`: what a gRPC call ends with; null: what `status` means to it. `status` null: only gRPC calls are aborted. */
  readonly abort: { readonly fraction: Fraction; readonly status: number | null; readonly grpc: GrpcStatusName | null } | null;
  /** A request may ask for faults by `x-envoy-fault-delay-request` and `x-envoy-fault-abort-request`. */
  readonly byHeader: boolean;
}

/** A copy of some requests is sent to another backend; its answer is discarded. */
export interface MirrorPolicy {
  /** Name of a backend of the same snapshot. */
  readonly backend: string;
  readonly fraction: Fraction;
}

export type FallbackCondition =
  | "breaker-open"
  | "no-endpoint"
  | "deadline"
  | "overloaded"
  | "connect-failure"
  | "reset"
  | "attempt-timeout"
  | "5xx"
  | GrpcCondition
  | number;

/** What is answered instead of certain failures. */
export interface FallbackPolicy {
  readonly on: readonly FallbackCondition[];
  readonly action: FallbackAction;
}

export type FallbackAction =
  | { readonly kind: "respond"; readonly status: number; readonly body: string | null; readonly headers: Readonly<Record<string, string>> }
  /** Name of a backend of the same snapshot. */
  | { readonly kind: "forward"; readonly backend: string };

/** `grpc:unavailable`: what a gRPC call ends with. */
export type GrpcCondition = Exclude<GrpcOutcome, "grpc:ok">;

export type RetryCondition =
  /** The function of a resource failed. */
  | "error"
  | GrpcCondition
  | "connect-failure"
  | "refused-stream"
  | "reset"
  | "attempt-timeout"
  | "retriable-4xx"
  | "gateway-error"
  | "5xx"
  | number;

export interface RetryConfig {
  /** Tries after the first, 0 to 10. */
  readonly maxRetries: number;
  readonly on: readonly RetryCondition[];
  /** Methods that may be repeated. */
  readonly methods: readonly string[];
  /** Until the response head of one try; null is unlimited. */
  readonly perTryTimeoutMs: number | null;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  /** The longest Retry-After that is honoured; a longer one ends the tries. */
  readonly retryAfterMaxMs: number;
}

export type HashPolicy = { readonly terminal: boolean } & (
  | { readonly kind: "header"; readonly name: string }
  | { readonly kind: "cookie"; readonly name: string; readonly ttlMs: number | null; readonly path: string | null }
  | { readonly kind: "query"; readonly name: string }
  | { readonly kind: "source-address" }
  | { readonly kind: "principal" }
);
