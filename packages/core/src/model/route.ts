import type { RouteMatch } from "./match.ts";

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
  /** What requests with the same key have in common; read by hashing balancers. */
  readonly hashOn: readonly HashPolicy[];
  readonly origin: Origin;
}

export type RouteAction =
  | { readonly kind: "forward"; readonly to: readonly WeightedBackend[]; readonly rewrite: Rewrite | null }
  | {
      readonly kind: "redirect";
      readonly status: 301 | 302 | 303 | 307 | 308;
      readonly scheme: "http" | "https" | null;
      readonly host: string | null;
      readonly port: number | null;
      /** Replaces the whole path, or what the route's prefix match matched. */
      readonly path: { readonly kind: "replace" | "prefix"; readonly value: string } | null;
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

/** Replaces what the route's prefix match matched, and/or the authority. */
export interface Rewrite {
  readonly prefix: string | null;
  readonly authority: string | null;
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
}

export type RetryCondition =
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
