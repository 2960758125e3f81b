import { stringify } from "node:querystring";
import {
  type CallOptions,
  currentScope,
  type Handler,
  type HeaderMap,
  isTraced,
  type Mesh,
  narrowed,
  type RequestBody,
  type RequestContext,
} from "@heddle/core";
import { Dispatcher, Dispatcher1Wrapper } from "undici";
import { authorityOf } from "./call.ts";
import { checkCallOptions } from "./call-options.ts";
import { DispatchedCall, type DispatchTimeouts } from "./dispatched-call.ts";
import { type Failures, type FrontDoor, leaving, wayTo } from "./front-door.ts";
import { globalDispatcher } from "./global-dispatcher.ts";
import { headerMap } from "./header-map.ts";
import { type Origin, Origins } from "./origin.ts";
import { type BodyInput, requestBody } from "./request-body.ts";
import { type OutboundOptions, unclaimedHandler } from "./unclaimed.ts";

export interface MeshDispatcherOptions extends OutboundOptions {
  /** For every call made through this dispatcher. Default: none. */
  readonly mesh?: CallOptions | undefined;
}

/** What the mesh takes from a dispatch beside undici's own options. */
export interface MeshDispatchOptions extends Dispatcher.DispatchOptions {
  /** For this call alone. `undici.request(url, { dispatcher, mesh: { timeout: "300ms" } })`. */
  readonly mesh?: CallOptions;
}

type DispatchHandler = Dispatcher.DispatchHandler;

/** Missing in undici's types. */
const formerHandlers = Dispatcher1Wrapper as unknown as { wrapHandler(handler: DispatchHandler): DispatchHandler };

/**
 * The mesh as an undici dispatcher: hosts that services claim go through it, all others to the dispatcher that was global when this one
 * was made. `opts.headersTimeout` and `opts.bodyTimeout` hold where given (undici's defaults of 300 s do not: the mesh has deadlines);
 * `opts.headersTimeout` covers all tries. Closing it is closing the mesh, so `close`
 * and `destroy` here do nothing.
 */
export class MeshDispatcher extends Dispatcher {
  /** Who serves unclaimed hosts. */
  readonly unclaimed: Dispatcher;
  readonly #mesh: Mesh;
  readonly #door: FrontDoor;
  readonly #bound: CallOptions | undefined;
  readonly #origins = new Origins();

  constructor(mesh: Mesh, options: MeshDispatcherOptions = {}) {
    super();
    this.#mesh = mesh;
    this.unclaimed = options.unclaimed ?? globalDispatcher();
    const unclaimed = unclaimedHandler(mesh, { unclaimed: this.unclaimed });
    this.#door = { mesh, unclaimed, failures: options.failures ?? "reject" };
    this.#bound = options.mesh;
  }

  get failures(): Failures {
    return this.#door.failures;
  }

  /** This dispatcher with options for every call made through it, for code that takes a dispatcher and nothing else. */
  bind(options: CallOptions): MeshDispatcher {
    checkCallOptions(options);
    const { unclaimed, failures } = this;
    return new MeshDispatcher(this.#mesh, { unclaimed, failures, mesh: narrowed(this.#bound, options) });
  }

  override dispatch(options: MeshDispatchOptions, handler: DispatchHandler): boolean {
    return this.dispatchCall(options, handler, options.mesh, null);
  }

  /** The same with the call's options beside undici's, for front doors that cannot put them in; `onStart` is told the context. */
  dispatchCall(
    options: Dispatcher.DispatchOptions,
    handler: DispatchHandler,
    callOptions: CallOptions | undefined,
    onStart: ((context: RequestContext) => void) | null,
  ): boolean {
    // Node's built-in fetch and older undici speak the former interface; they would wait for ever.
    const told = typeof handler.onRequestStart === "function" ? handler : formerHandlers.wrapHandler(handler);
    try {
      checkCallOptions(callOptions);
      const origin = this.#origins.parse(options.origin);
      const effective = callOptions && this.#bound ? narrowed(this.#bound, callOptions) : (callOptions ?? this.#bound);
      const way = wayTo(this.#door, origin.authority);
      const isUnclaimed = way === this.#door.unclaimed;
      if (isUnclaimed && (isUpgrade(options) || !hasAnything(effective))) return this.unclaimed.dispatch(options, told);
      this.#send(way, origin, options, told, effective, onStart);
    } catch (error) {
      told.onResponseError?.(new DispatchedCall(told, null, this.#mesh.deadlines), error as Error);
    }
    return true;
  }

  // Both are called as `close()` and as `close(callback)`.

  override close(): Promise<void>;
  override close(callback: () => void): void;
  override close(callback?: () => void): Promise<void> | undefined {
    return settled(callback);
  }

  override destroy(): Promise<void>;
  override destroy(error: Error | null): Promise<void>;
  override destroy(callback: () => void): void;
  override destroy(error: Error | null, callback: () => void): void;
  override destroy(error?: Error | null | (() => void), callback?: () => void): Promise<void> | undefined {
    return settled(typeof error === "function" ? error : callback);
  }

  #send(
    way: Handler,
    origin: Origin,
    options: Dispatcher.DispatchOptions,
    handler: DispatchHandler,
    callOptions: CallOptions | undefined,
    onStart: ((context: RequestContext) => void) | null,
  ): void {
    const headers: HeaderMap = headerMap(options.headers as Parameters<typeof headerMap>[0]);
    if (options.upgrade) headers.upgrade = String(options.upgrade);
    const body: RequestBody = requestBody(options.body as BodyInput, headers);
    const path = options.query ? `${options.path}?${stringify(options.query)}` : options.path;
    const call = new DispatchedCall(handler, timeoutsOf(options), this.#mesh.deadlines);
    if (!call.begin()) return;
    const request = this.#mesh.startRequest({
      method: options.method,
      scheme: origin.scheme,
      authority: authorityOf(headers) ?? origin.authority,
      path,
      headers,
      body,
      options: callOptions,
    });
    call.started(request);
    onStart?.(request.context);
    leaving(this.#door, way(request)).then(
      (response) => {
        this.#mesh.remember(response.headers, request.context);
        call.respond(response);
      },
      (error) => call.fail(error),
    );
  }
}

/** Only with a deadline or a span has an unclaimed host anything of the mesh. */
function hasAnything(callOptions: CallOptions | undefined): boolean {
  if (callOptions?.timeout !== undefined || isTraced()) return true;
  const scope = currentScope();
  return scope !== null && (scope.deadlineAt !== Number.POSITIVE_INFINITY || scope.options?.timeout !== undefined);
}

function isUpgrade(options: Dispatcher.DispatchOptions): boolean {
  return Boolean(options.upgrade) || options.method === "CONNECT";
}

function timeoutsOf(options: Dispatcher.DispatchOptions): DispatchTimeouts | null {
  const headersMs = options.headersTimeout ?? 0;
  const bodyMs = options.bodyTimeout ?? 0;
  return headersMs > 0 || bodyMs > 0 ? { headersMs, bodyMs } : null;
}

function settled(callback: (() => void) | undefined): Promise<void> | undefined {
  if (callback === undefined) return Promise.resolve();
  queueMicrotask(callback);
  return undefined;
}
