import { AsyncLocalStorage } from "node:async_hooks";
import type { Cancel } from "./cancel.ts";
import type { InboundRequestContext } from "./inbound-request-context.ts";
import type { Handler } from "./layer.ts";
import type { FailureConfig } from "./model/backend.ts";

/** What a caller may set for one call. It narrows what the document allows, never widens it. */
export interface CallOptions {
  /** Total time, milliseconds or `250ms`. The smallest of this, the route's and the inherited one holds. */
  readonly timeout?: number | string;
  /** `false`: no retries for this call, not even transparent ones. */
  readonly retry?: false;
  /** The caller's word that repeating this request is safe, whatever its method. */
  readonly idempotent?: boolean;
  /** Carried to the access log and the report. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** How one try ended. `response` carries a status; everything else has none. */
export type AttemptOutcome =
  | "pending"
  | "response"
  | "connect-failure"
  | "refused-stream"
  | "reset"
  | "protocol-error"
  | "attempt-timeout"
  | "deadline"
  | "cancelled"
  | "breaker-open"
  | "overloaded"
  | "no-endpoint"
  | "failed";

/** One try of a request. Written by the layers of the mesh only. */
export class Attempt {
  readonly number: number;
  readonly startedAt: number;
  backend = "";
  /** `host:port` or the unix path, as configured; empty until one was picked. */
  endpoint = "";
  outcome: AttemptOutcome = "pending";
  status = 0;
  /** Head or failure, whichever came first; milliseconds since the try began. */
  elapsedMs = 0;
  /** In words, why it ended as it did or why it was not the last. */
  why = "";
  /** Called when it leaves the queue for a connection; the limits count what waits. */
  onSent: (() => void) | null = null;
  #wasSent = false;
  /** It travelled on a connection that had carried a complete exchange before. */
  reusedConnection = false;
  /** What counts as a failure of this try; null: the default. */
  failure: FailureConfig | null = null;
  /** The decision came more than 100 ms late because the event loop was blocked: not held against the endpoint. */
  wasLate = false;

  constructor(number: number, startedAt: number) {
    this.number = number;
    this.startedAt = startedAt;
  }

  /** At least one byte of this try was, or may have been, written to a connection. Set by the transport. */
  get wasSent(): boolean {
    return this.#wasSent;
  }

  set wasSent(value: boolean) {
    this.#wasSent = value;
    if (value) this.onSent?.();
  }
}

/** Trace context as received (W3C Trace Context), carried on unchanged where no SDK takes part. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
}

/** Everything about one request that is counted or remembered; shared by all requests derived from it. */
export class RequestContext {
  readonly startedAt: number;
  readonly options: CallOptions;
  readonly cancel: Cancel;
  /** The inbound request this call was made in, if any. */
  readonly scope: Scope | null;
  service = "";
  route = "";
  backend = "";
  /** Where the policies in force came from, for the report. */
  policyFrom = "";
  /** Monotonic milliseconds; Infinity without one. */
  deadlineAt: number = Number.POSITIVE_INFINITY;
  /** Of the response head alone; Infinity without one. */
  headDeadlineAt: number = Number.POSITIVE_INFINITY;
  readonly attempts: Attempt[] = [];
  /** How the request went where its answer does not tell: what a fallback stands in for. Counted and logged in place of the status. */
  outcome: number | string | null = null;
  /** Inbound only: who called, as the listener knows it (a remote address); empty otherwise. For the access log. */
  peer = "";
  /** Of the span that was made for it, 32 hex digits; empty where there is none. For the access log. */
  traceId = "";
  /** Inbound only: the application, which answers what no layer did. */
  app: Handler | null = null;

  constructor(startedAt: number, options: CallOptions, cancel: Cancel, scope: Scope | null) {
    this.startedAt = startedAt;
    this.options = options;
    this.cancel = cancel;
    this.scope = scope;
  }
}

/** What calls made while an inbound request is in flight inherit from it. */
export interface Scope {
  readonly trace: TraceContext | null;
  readonly tags: Readonly<Record<string, string>> | null;
  /** Monotonic milliseconds, Infinity without one. Set to Infinity once the inbound exchange is over (a timer or pool created in it keeps this scope for ever). */
  deadlineAt: number;
  /** The inbound request is itself a retry: calls made in it are not retried, transparent retries aside. */
  readonly isRetry: boolean;
  /** What `req.mesh` is in the inbound request; null once the exchange is over. */
  readonly inbound?: InboundRequestContext | null;
}

const scopes = new AsyncLocalStorage<Scope>();

export function currentScope(): Scope | null {
  return scopes.getStore() ?? null;
}

export function runInScope<T>(scope: Scope, run: () => T): T {
  return scopes.run(scope, run);
}

/** Runs `run` with nothing of the current request. */
export function runDetached<T>(run: () => T): T {
  return scopes.exit(run);
}
