import { Cancel } from "../../packages/core/src/cancel.ts";
import type { Clock } from "../../packages/core/src/clock.ts";
import { Attempt, type CallOptions, RequestContext, type Scope } from "../../packages/core/src/context.ts";
import type { InboundRequestContext } from "../../packages/core/src/inbound-request-context.ts";
import type { Handler } from "../../packages/core/src/layer.ts";
import type { MeshRequest, MeshResponse } from "../../packages/core/src/message.ts";
import { PushBody } from "../../packages/core/src/push-body.ts";
import type { RpcCall } from "../../packages/core/src/rpc.ts";

/** Time that a test sets. Telemetry measures and never waits, so no timers. */
export interface SettableClock extends Clock {
  nowMs: number;
}

export function settableClock(): SettableClock {
  return {
    nowMs: 0,
    now() {
      return this.nowMs;
    },
    wallTime() {
      return 1_767_225_600_000 + this.nowMs;
    },
    setTimer() {
      throw new Error("telemetry does not wait");
    },
    clearTimer() {},
  };
}

export interface RequestFacts extends Partial<Omit<MeshRequest, "context" | "cancel">> {
  readonly options?: CallOptions;
  readonly scope?: Scope | null;
  readonly startedAt?: number;
  readonly rpc?: RpcCall;
}

/** A complete request; a test names what it is about. */
export function requestWith(facts: RequestFacts = {}): MeshRequest {
  const { options = {}, scope = null, startedAt = 0, rpc = null, ...message } = facts;
  const cancel = new Cancel();
  const context = new RequestContext(startedAt, options, cancel, scope);
  context.rpc = rpc;
  return {
    method: "GET",
    scheme: "http",
    authority: "reviews",
    path: "/api/7",
    headers: Object.assign(Object.create(null), { accept: "*/*" }),
    body: null,
    attempt: null,
    ...message,
    context,
    cancel,
  };
}

/** A gRPC call of `shop.Ratings/Get`. */
export function callWith(facts: RequestFacts = {}): MeshRequest {
  const rpc: RpcCall = { kind: "unary", waitForReady: false, client: null };
  return requestWith({ method: "POST", path: "/shop.Ratings/Get", rpc, ...facts });
}

/** What `req.mesh` says of a caller that proved who it is. */
export function inboundOf(spiffeId: string): InboundRequestContext {
  const peer = { spiffeId, trustDomain: "shop.example", namespace: null, serviceAccount: null, fingerprint: "" };
  return {
    peer,
    jwt: undefined,
    forwardedPeers: [],
    signal: new AbortController().signal,
    deadline: undefined,
    remainingMs: () => Number.POSITIVE_INFINITY,
    route: undefined,
  };
}

export interface AttemptFacts {
  readonly number?: number;
  readonly endpoint?: string;
  readonly why?: string;
}

/** Adds a try to the request's record. */
export function tried(request: MeshRequest, facts: AttemptFacts = {}): Attempt {
  const attempt = new Attempt(facts.number ?? request.context.attempts.length + 1, 0);
  attempt.endpoint = facts.endpoint ?? "127.0.0.1:9081";
  attempt.backend = "reviews";
  attempt.why = facts.why ?? "";
  request.context.attempts.push(attempt);
  return attempt;
}

export function scopeWith(traceparent: string | null, tracestate?: string): Scope {
  return {
    trace: traceparent === null ? null : { traceparent, tracestate },
    tags: null,
    deadlineAt: Number.POSITIVE_INFINITY,
    isRetry: false,
  };
}

/** A handler that answers with a body the test ends, and remembers what it was sent. */
export function answering(status = 200, headers: MeshResponse["headers"] = {}): { handler: Handler; body: PushBody; sent: MeshRequest[] } {
  const body = new PushBody(null);
  const sent: MeshRequest[] = [];
  const handler: Handler = (request) => {
    sent.push(request);
    return Promise.resolve({ status, headers, body });
  };
  return { handler, body, sent };
}

export function failing(error: unknown): Handler {
  return () => Promise.reject(error);
}
