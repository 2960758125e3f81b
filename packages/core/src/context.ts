import { AsyncLocalStorage } from "node:async_hooks";
import type { Cancel } from "./cancel.ts";
import { durationMs } from "./duration.ts";
import type { InboundRequestContext } from "./inbound-request-context.ts";
import type { Handler } from "./layer.ts";
import type { MeshRequest, MeshResponse } from "./message.ts";
import type { FailureConfig } from "./model/backend.ts";
import type { Route } from "./model/route.ts";
import type { RpcCall } from "./rpc.ts";
import type { Shortage } from "./shortage.ts";
import type { Channel } from "./transport.ts";

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
  /** The function of a resource failed. */
  | "error"
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
  /** Of a gRPC call: what it ended with, known with its trailers or from what broke it; null: not known, or no gRPC call. */
  grpcStatus: number | null = null;
  /** Head or failure, whichever came first; milliseconds since the try began. */
  elapsedMs = 0;
  /** In words, why it ended as it did or why it was not the last. */
  why = "";
  /** Called when it leaves the queue for a connection; the limits count what waits. */
  onSent: (() => void) | null = null;
  #wasSent = false;
  /** It travelled on a connection that had carried a complete exchange before. */
  reusedConnection = false;
  /** The number of that connection: a later one has a higher number. 0 until it has one. */
  connection = 0;
  /** It died as other connections of its age did before, which told all there is to tell. */
  isOldNews = false;
  /** What counts as a failure of this try; null: the default. */
  failure: FailureConfig | null = null;
  /** It ran out of time because the event loop of this process was blocked: not held against the endpoint. */
  wasLate = false;
  /** For so much of `elapsedMs` the event loop of this process was blocked. */
  blockedMs = 0;
  readonly #blockedBefore: number;
  /** What this process lacked, where that is why no connection could be made: not held against the endpoint. */
  shortage: Shortage | null = null;

  /** `blockedBefore`: for how long the event loop had been blocked by then, altogether. */
  constructor(number: number, startedAt: number, blockedBefore = 0) {
    this.number = number;
    this.startedAt = startedAt;
    this.#blockedBefore = blockedBefore;
  }

  /** Takes down for how much of its time the event loop was blocked; `blockedMs`: altogether by now. */
  noteBlocked(blockedMs: number): void {
    this.blockedMs = blockedMs - this.#blockedBefore;
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

/**
 * Who sends a request in place of the channel that was picked for it: node:http's client writes its own, and only once. A request with
 * a carrier is routed, balanced and counted as any other; it cannot be repeated, changed, copied, or answered by a fallback.
 */
export interface Carrier {
  /** As {@link Channel.send}. */
  send(channel: Channel, request: MeshRequest): Promise<MeshResponse>;
  /** Told the route before its request is sent: what it asks for beyond a deadline will not be done. */
  routed(route: Route): void;
}

/** How it was decided whether a request may be served. */
export interface AuthorizationNote {
  /** Of the policy and, where it has several, its own: `shop-reads/nightly`; null: no rule decided. */
  readonly rule: string | null;
  /** `allowed_by_rule`, `denied_by_rule`, `not_allowed` and so on. */
  readonly reason: string;
  /** Rules of audit policies that matched. */
  readonly audited: readonly string[];
  /** What the policies in shadow would have decided, where it is something else. */
  readonly shadow: { readonly allowed: boolean; readonly rule: string | null } | null;
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
  /** Inbound only: how it was decided whether it may; null where nothing decides. */
  authorization: AuthorizationNote | null = null;
  /** Of the span that was made for it, 32 hex digits; empty where there is none. For the access log. */
  traceId = "";
  /** Outbound only: who sends it, if not the channel. */
  carrier: Carrier | null = null;
  /** Of a gRPC call, either way; null: it is none. */
  rpc: RpcCall | null = null;
  /** Inbound only: what `req.mesh` is. */
  inbound: InboundRequestContext | null = null;
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
  /** For every call made in it, as if each had been given them. */
  readonly options?: CallOptions;
}

/** A scope with options for the calls made in it. It looks through to the scope around it, so that it ends when that does. */
class NarrowedScope implements Scope {
  readonly options: CallOptions;
  readonly #around: Scope | null;

  constructor(around: Scope | null, options: CallOptions) {
    this.#around = around;
    this.options = narrowed(around?.options, options);
  }

  get trace(): TraceContext | null {
    return this.#around?.trace ?? null;
  }

  get tags(): Readonly<Record<string, string>> | null {
    return this.#around?.tags ?? null;
  }

  get deadlineAt(): number {
    return this.#around?.deadlineAt ?? Number.POSITIVE_INFINITY;
  }

  get isRetry(): boolean {
    return this.#around?.isRetry ?? false;
  }

  get inbound(): InboundRequestContext | null {
    return this.#around?.inbound ?? null;
  }
}

/** Both together: the shorter time, the union of the tags; of everything else what the inner one says, but a retry stays forbidden. */
export function narrowed(outer: CallOptions | undefined, inner: CallOptions): CallOptions {
  if (outer === undefined) return inner;
  const timeouts = [outer.timeout, inner.timeout].filter((timeout) => timeout !== undefined);
  return {
    ...outer,
    ...inner,
    ...(timeouts.length > 0 && { timeout: Math.min(...timeouts.map((timeout) => durationMs(timeout, "timeout"))) }),
    ...((outer.retry === false || inner.retry === false) && { retry: false as const }),
    ...((outer.tags || inner.tags) && { tags: { ...outer.tags, ...inner.tags } }),
  };
}

const scopes = new AsyncLocalStorage<Scope>();

export function currentScope(): Scope | null {
  return scopes.getStore() ?? null;
}

export function runInScope<T>(scope: Scope, run: () => T): T {
  return scopes.run(scope, run);
}

/** Runs `run` so that every call made in it has these options, however deep it is made. Nested, the narrower of each holds. */
export function runWithOptions<T>(options: CallOptions, run: () => T): T {
  return scopes.run(new NarrowedScope(currentScope(), options), run);
}

/** Runs `run` with nothing of the current request. */
export function runDetached<T>(run: () => T): T {
  return scopes.exit(run);
}
