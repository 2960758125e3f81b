import { Cancel } from "../cancel.ts";
import type { Clock } from "../clock.ts";
import { type Attempt, type CallOptions, currentScope, narrowed, RequestContext } from "../context.ts";
import { durationMs } from "../duration.ts";
import { MeshError } from "../errors.ts";
import type { Handler, Layer } from "../layer.ts";
import { emptyHeaders, localResponse, type MeshRequest } from "../message.ts";
import { outcomeOfError } from "../outcome.ts";
import { reportOf } from "../report.ts";

/** What a function under protection is given. */
export interface ProtectedCall {
  /** Aborted when its result is not waited for any more: the timeout passed, the caller left, the mesh was closed. */
  readonly signal: AbortSignal;
  /** 1 for the first try. */
  readonly attempt: number;
  /** Until the deadline; Infinity without one. */
  remainingMs(): number;
}

export type ProtectedFunction<T> = (call: ProtectedCall) => PromiseLike<T> | T;

/** For one call; it narrows what the document allows. `idempotent: true` lets an inherited retry repeat it. */
export interface ProtectOptions<T = unknown> extends CallOptions {
  /** The caller leaves: the call rejects with `signal.reason`. */
  readonly signal?: AbortSignal | undefined;
  /** Whether this error says that the resource failed. What it does not say so of is not repeated and not held against it. Default: every error. */
  readonly isFailure?: ((error: unknown) => boolean) | undefined;
  /** The result in place of any failure but the caller's leaving. Counters keep the failure. */
  readonly fallback?: ((error: unknown) => PromiseLike<T> | T) | undefined;
}

/** The context of a call: its function, and what came of it. */
export class ProtectedContext extends RequestContext {
  readonly run: ProtectedFunction<unknown>;
  readonly isFailure: (error: unknown) => boolean;
  result: unknown = undefined;
  #running = 0;
  #whenIdle: (() => void) | null = null;

  constructor(now: number, run: ProtectedFunction<unknown>, options: ProtectOptions, cancel: Cancel) {
    const scope = currentScope();
    super(now, scope?.options === undefined ? options : narrowed(scope.options, options), cancel, scope);
    this.run = run;
    this.isFailure = options.isFailure ?? (() => true);
    if (scope !== null) this.deadlineAt = scope.deadlineAt;
    const { timeout } = this.options;
    if (timeout !== undefined) this.deadlineAt = Math.min(this.deadlineAt, now + durationMs(timeout, "timeout"));
  }

  begin(): void {
    this.#running++;
  }

  end(): void {
    this.#running--;
    if (this.#running > 0) return;
    this.#whenIdle?.();
    this.#whenIdle = null;
  }

  /** Calls back when no run of the function is left: at once if there is none. */
  whenIdle(listener: () => void): void {
    if (this.#running === 0) listener();
    else this.#whenIdle = listener;
  }
}

/** A call as a request, so that the policies of requests hold for it. It has no method: what may be repeated is not told by one. */
export function callRequest(name: string, context: ProtectedContext): MeshRequest {
  context.service = name;
  context.backend = name;
  return {
    method: "",
    scheme: "http",
    authority: name,
    path: "",
    headers: emptyHeaders(),
    body: null,
    context,
    cancel: context.cancel,
    attempt: null,
  };
}

/** The end of a resource's stack: runs the function, and stops waiting for it as soon as the request is cancelled. */
export function functionCall(name: string, clock: Clock): Handler {
  return (request) => {
    const { cancel } = request;
    const context = request.context as ProtectedContext;
    const attempt = request.attempt as Attempt;
    if (cancel.isCancelled) return Promise.reject(cancel.reason);
    attempt.endpoint = name;
    attempt.wasSent = true;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const leave = (reason: unknown) => {
      attempt.outcome = outcomeOfError(reason, true);
      attempt.elapsedMs = clock.now() - attempt.startedAt;
      reject(reason);
    };
    cancel.onCancel(leave);
    started(context, request, clock).then(
      (value) => {
        cancel.offCancel(leave);
        if (attempt.outcome === "pending") settle(attempt, "response", clock);
        resolve(value);
      },
      (error: unknown) => {
        cancel.offCancel(leave);
        if (attempt.outcome === "pending") settle(attempt, isFailure(context, error) ? "error" : "failed", clock);
        reject(error);
      },
    );
    return promise.then((value) => {
      context.result = value;
      return localResponse(200, null);
    });
  };
}

async function started(context: ProtectedContext, request: MeshRequest, clock: Clock): Promise<unknown> {
  context.begin();
  try {
    return await context.run(callOf(request, clock));
  } finally {
    context.end();
  }
}

function settle(attempt: Attempt, outcome: "response" | "error" | "failed", clock: Clock): void {
  attempt.outcome = outcome;
  if (outcome === "response") attempt.status = 200;
  attempt.elapsedMs = clock.now() - attempt.startedAt;
}

/** A classifier that fails itself is no reason to take the error for harmless. */
function isFailure({ isFailure: judge }: ProtectedContext, error: unknown): boolean {
  try {
    return judge(error) !== false;
  } catch {
    return true;
  }
}

function callOf({ cancel, context, attempt }: MeshRequest, clock: Clock): ProtectedCall {
  let controller: AbortController | null = null;
  return {
    get signal() {
      if (controller === null) {
        const made = new AbortController();
        cancel.onCancel((reason) => made.abort(reason));
        controller = made;
      }
      return controller.signal;
    },
    attempt: attempt?.number ?? 1,
    remainingMs: () => Math.max(0, context.deadlineAt - clock.now()),
  };
}

/** Notes that it went well: there is no status to count. */
export const countAsOk: Layer = (next) => (request) =>
  next(request).then((response) => {
    request.context.outcome = "ok";
    return response;
  });

/** Puts the report into every failure of the mesh. */
export const reportCall: Layer = (next) => (request) =>
  next(request).catch((error: unknown) => {
    if (error instanceof MeshError) error.report ??= reportOf(request.context);
    throw error;
  });

/** Runs a call, with the caller's signal and fallback. */
export async function protectedCall<T>(context: ProtectedContext, handler: Handler, name: string, options: ProtectOptions<T>): Promise<T> {
  const { signal, fallback } = options;
  const { cancel } = context;
  const leave = () => cancel.cancel(signal?.reason);
  if (signal?.aborted) leave();
  signal?.addEventListener("abort", leave, { once: true });
  try {
    if (signal?.aborted) throw signal.reason;
    await handler(callRequest(name, context));
    return context.result as T;
  } catch (error) {
    if (!fallback || (signal?.aborted && error === signal.reason)) throw error;
    return await fallback(error);
  } finally {
    signal?.removeEventListener("abort", leave);
  }
}

export function newCall(now: number, run: ProtectedFunction<unknown>, options: ProtectOptions): ProtectedContext {
  return new ProtectedContext(now, run, options, new Cancel());
}
