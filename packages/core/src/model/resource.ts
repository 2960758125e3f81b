import type { BreakerConfig, RetryBudgetConfig } from "./backend.ts";
import type { Origin, RetryConfig } from "./route.ts";

export interface ResourceLimits {
  /** Calls that run at once, a call that was given up and still runs among them; null: unlimited. */
  readonly maxRequests: number | null;
  /** Calls that wait for their turn once `maxRequests` run. */
  readonly maxPending: number;
}

/** Something that is called by a function of the process rather than by a request: a database, another client. */
export interface Resource {
  readonly name: string;
  /** Over all tries; null: an inherited deadline alone. */
  readonly timeoutMs: number | null;
  /** null: one try. Its `methods` are empty where nobody said that calls of this resource may be repeated. */
  readonly retry: RetryConfig | null;
  readonly retryBudget: RetryBudgetConfig;
  readonly breaker: BreakerConfig | null;
  readonly limits: ResourceLimits;
  /** A policy that the code of the process gives by this name stands around the tries; null: none. */
  readonly namedPolicy: string | null;
  readonly origin: Origin;
  /** Where each policy in force was written, by its name in the document; one that is not named here is the default. */
  readonly policyFrom: Readonly<Record<string, Origin>>;
}
