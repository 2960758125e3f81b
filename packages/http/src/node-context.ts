import { AsyncLocalStorage } from "node:async_hooks";
import type { EventEmitter } from "node:events";

/**
 * Makes listeners of this emitter run in the async context of this call. Node emits what happens on a socket in the context of its
 * parser, which serves many requests: `req.on("data")` would run in none of theirs.
 */
export function bindEmitter(emitter: EventEmitter, inContext: <R>(run: () => R) => R): void {
  const emit = emitter.emit;
  emitter.emit = (name: string | symbol, ...values: unknown[]): boolean => inContext(() => emit.call(emitter, name, ...values));
}

/** The async context of this call: our scope, and whatever else (a span, the application's own stores) is in it. */
export function captureContext(): <R>(run: () => R) => R {
  return AsyncLocalStorage.snapshot();
}
