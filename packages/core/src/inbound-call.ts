import { Cancel } from "./cancel.ts";
import type { Clock } from "./clock.ts";
import { currentScope, RequestContext, type Scope, type TraceContext } from "./context.ts";
import type { DeadlineEntry, Deadlines } from "./deadlines.ts";
import { MeshError } from "./errors.ts";
import { type InboundConnection, UNKNOWN_CONNECTION } from "./inbound-connection.ts";
import type { ForwardedPeer, InboundRequestContext, Peer, VerifiedToken } from "./inbound-request-context.ts";
import type { Handler } from "./layer.ts";
import type { HeaderMap, MeshRequest } from "./message.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";
import { CONTEXT } from "./report.ts";
import type { RpcCall } from "./rpc.ts";

/** The scope of one inbound request. Filled by the inbound layers, emptied when the exchange is over. */
export class InboundScope implements Scope {
  trace: TraceContext | null = null;
  tags: Readonly<Record<string, string>> | null = null;
  deadlineAt: number = Number.POSITIVE_INFINITY;
  isRetry = false;
  inbound: InboundRequestContext | null;

  constructor(inbound: InboundRequestContext) {
    this.inbound = inbound;
  }

  /** Leaves trace context alone: a timer or pool made during the request keeps this object for ever, and must not be bound by the rest. */
  end(): void {
    this.deadlineAt = Number.POSITIVE_INFINITY;
    this.tags = null;
    this.isRetry = false;
    this.inbound = null;
  }
}

const NOBODY: readonly ForwardedPeer[] = [];

class InboundCall implements InboundRequestContext {
  readonly connection: InboundConnection;
  jwt: VerifiedToken | undefined = undefined;
  forwardedPeers: readonly ForwardedPeer[] = NOBODY;
  wasRetriedBelow = false;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #route: () => string | undefined;
  #context: RequestContext | null = null;
  #controller: AbortController | null = null;
  #deadline: Date | undefined;
  #timer: DeadlineEntry | null = null;
  #hasEnded = false;

  constructor(clock: Clock, deadlines: Deadlines, { connection = UNKNOWN_CONNECTION, route = () => undefined }: InboundInit) {
    this.connection = connection;
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#route = route;
  }

  start(context: RequestContext): void {
    this.#context = context;
  }

  end(): void {
    this.#hasEnded = true;
    if (this.#timer) this.#deadlines.remove(this.#timer);
    this.#timer = null;
  }

  get peer(): Peer | undefined {
    return this.connection.peer ?? undefined;
  }

  get [CONTEXT](): RequestContext | undefined {
    return this.#context ?? undefined;
  }

  get signal(): AbortSignal {
    this.#controller ??= this.#watch(new AbortController());
    return this.#controller.signal;
  }

  get deadline(): Date | undefined {
    if (this.#deadlineAt === Number.POSITIVE_INFINITY) return undefined;
    this.#deadline ??= new Date(this.#clock.wallTime() + this.#deadlineAt - this.#clock.now());
    return this.#deadline;
  }

  remainingMs(): number {
    return Math.max(0, this.#deadlineAt - this.#clock.now());
  }

  get route(): string | undefined {
    return this.#route();
  }

  get #deadlineAt(): number {
    return this.#context?.deadlineAt ?? Number.POSITIVE_INFINITY;
  }

  #watch(controller: AbortController): AbortController {
    this.#context?.cancel.onCancel((reason) => controller.abort(reason));
    if (this.#hasEnded || this.#deadlineAt === Number.POSITIVE_INFINITY) return controller;
    this.#timer = this.#deadlines.add(this.remainingMs(), () => {
      if (this.#deadlineAt === Number.POSITIVE_INFINITY) return;
      controller.abort(new MeshError("deadline_exceeded", "the deadline of the caller passed while its request was being served"));
    });
    return controller;
  }
}

/** What a listener knows of a request that came in. */
export interface InboundInit {
  readonly method: string;
  readonly scheme: "http" | "https";
  /** As the caller sent it, lower case. */
  readonly authority: string;
  /** Path and query, as on the wire. */
  readonly path: string;
  /** Lower-case names. Not changed. */
  readonly headers: HeaderMap;
  /** Answers what no layer did. Called at most once, in the scope of the request. */
  readonly app: Handler;
  /** The framework's pattern of the route taken, as far as it is known when called. */
  readonly route?: () => string | undefined;
  /** It is a gRPC call. */
  readonly rpc?: RpcCall;
  /** What the request came by. Default: nothing is known of it, and nothing is proved. */
  readonly connection?: InboundConnection;
}

export interface InboundStart {
  readonly request: MeshRequest;
  readonly inbound: InboundRequestContext;
}

/**
 * The request to give to `mesh.inbound`. Its body stays with the application (null here). The listener cancels `request.cancel`
 * when the caller leaves before the response is complete.
 */
export function startInbound(mesh: { readonly clock: Clock; readonly deadlines: Deadlines }, init: InboundInit): InboundStart {
  const call = new InboundCall(mesh.clock, mesh.deadlines, init);
  const scope = new InboundScope(call);
  const cancel = new Cancel();
  const context = new RequestContext(mesh.clock.now(), {}, cancel, scope);
  context.app = init.app;
  context.rpc = init.rpc ?? null;
  context.inbound = call;
  context.peer = call.connection.peerAddress ?? "";
  call.start(context);
  const { method, scheme, authority, path, headers } = init;
  return { request: { method, scheme, authority, path, headers, body: null, context, cancel, attempt: null }, inbound: call };
}

/** The scope that {@link startInbound} gave this request. */
export function inboundScope(request: MeshRequest): InboundScope {
  const { scope } = request.context;
  if (scope instanceof InboundScope) return scope;
  throw new TypeError("an inbound request must be made by startInbound");
}

/** What the request came by. */
export function inboundConnection(request: MeshRequest): InboundConnection {
  return callOf(request).connection;
}

/** Whether what its headers say of deadline and attempt is believed: of whom is authenticated, or where the policy says so. */
export function trustsHeaders(request: MeshRequest, policy: InboundPolicy | null): boolean {
  return policy !== null && (policy.trustHeaders || inboundConnection(request).peer !== null);
}

/** The request's token was verified: `req.mesh.jwt`, and what is decided by it. */
export function setVerifiedToken(request: MeshRequest, token: VerifiedToken): void {
  callOf(request).jwt = token;
}

/** A trusted peer says whom it serves: `req.mesh.forwardedPeers`. */
export function setForwardedPeers(request: MeshRequest, peers: readonly ForwardedPeer[]): void {
  callOf(request).forwardedPeers = peers;
}

function callOf(request: MeshRequest): InboundCall {
  const { inbound } = request.context;
  if (inbound instanceof InboundCall) return inbound;
  throw new TypeError("an inbound request must be made by startInbound");
}

/** A call made in this scope failed although its retries were used, or were more than its budget allowed. */
export function noteRetriedBelow(scope: Scope | null): void {
  if (scope?.inbound instanceof InboundCall) scope.inbound.wasRetriedBelow = true;
}

/** Whether repeating the inbound request would repeat what was already repeated further down. */
export function wasRetriedBelow(inbound: InboundRequestContext): boolean {
  return inbound instanceof InboundCall && inbound.wasRetriedBelow;
}

/** The deadline has done its work: it bounds an upgrade only until that is answered. */
export function liftDeadline(request: MeshRequest): void {
  request.context.deadlineAt = Number.POSITIVE_INFINITY;
  inboundScope(request).deadlineAt = Number.POSITIVE_INFINITY;
}

/** The exchange is over: its response is complete, or its caller left. */
export function endInbound(scope: InboundScope): void {
  if (scope.inbound instanceof InboundCall) scope.inbound.end();
  scope.end();
}

/** `req.mesh` where there is no `req`; undefined outside of an inbound request and once its response is complete. */
export function context(): InboundRequestContext | undefined {
  return currentScope()?.inbound ?? undefined;
}
