import { stringify } from "node:querystring";
import {
  type CallOptions,
  currentScope,
  type Handler,
  type HeaderMap,
  type Mesh,
  type RequestBody,
  type RequestContext,
} from "@heddle/core";
import { Dispatcher, Dispatcher1Wrapper, errors, getGlobalDispatcher } from "undici";
import { authorityOf } from "./call.ts";
import { checkCallOptions } from "./call-options.ts";
import { DispatchedCall, type DispatchTimeouts } from "./dispatched-call.ts";
import { headerMap } from "./header-map.ts";
import { type Origin, Origins } from "./origin.ts";
import { type BodyInput, requestBody } from "./request-body.ts";
import { assertEgress, type OutboundOptions, unclaimedHandler } from "./unclaimed.ts";

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
 * `opts.headersTimeout` covers all tries. Upgrades and CONNECT to services are refused. Closing it is closing the mesh, so `close`
 * and `destroy` here do nothing.
 */
export class MeshDispatcher extends Dispatcher {
  /** Who serves unclaimed hosts. */
  readonly unclaimed: Dispatcher;
  readonly #mesh: Mesh;
  readonly #unclaimedHandler: Handler;
  readonly #origins = new Origins();

  constructor(mesh: Mesh, options: OutboundOptions = {}) {
    super();
    this.#mesh = mesh;
    this.unclaimed = options.unclaimed ?? getGlobalDispatcher();
    this.#unclaimedHandler = unclaimedHandler(mesh, { unclaimed: this.unclaimed });
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
      const origin = this.#origins.parse(options.origin);
      const claimed = this.#mesh.virtualHost(origin.authority);
      if (claimed) {
        refuseUpgrade(options, origin);
        this.#send(claimed, origin, options, told, callOptions, onStart);
        return true;
      }
      assertEgress(this.#mesh, origin.authority);
      if (isUpgrade(options) || !hasDeadline(callOptions)) return this.unclaimed.dispatch(options, told);
      this.#send(this.#unclaimedHandler, origin, options, told, callOptions, onStart);
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
    checkCallOptions(callOptions);
    const headers: HeaderMap = headerMap(options.headers as Parameters<typeof headerMap>[0]);
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
      ...(callOptions && { options: callOptions }),
    });
    call.started(request);
    onStart?.(request.context);
    way(request).then(
      (response) => {
        this.#mesh.remember(response.headers, request.context);
        call.respond(response);
      },
      (error) => call.fail(error),
    );
  }
}

/** Only with one has an unclaimed host anything of the mesh. */
function hasDeadline(callOptions: CallOptions | undefined): boolean {
  if (callOptions?.timeout !== undefined) return true;
  const scope = currentScope();
  return scope !== null && scope.deadlineAt !== Number.POSITIVE_INFINITY;
}

function isUpgrade(options: Dispatcher.DispatchOptions): boolean {
  return Boolean(options.upgrade) || options.method === "CONNECT";
}

function refuseUpgrade(options: Dispatcher.DispatchOptions, origin: Origin): void {
  if (!isUpgrade(options)) return;
  const what = options.method === "CONNECT" ? "CONNECT" : `an upgrade to ${String(options.upgrade)}`;
  throw new errors.NotSupportedError(`${origin.authority}: the mesh does not carry ${what}`);
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
