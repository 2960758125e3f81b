import { AsyncLocalStorage } from "node:async_hooks";
import type { EventEmitter } from "node:events";

/**
 * Makes listeners of this emitter run in the async context in which the first of them is added. Node emits what happens on a socket in
 * the context of its parser, which serves many requests: `req.on("data")` would run in none of theirs.
 * Nothing is bound before there is a listener: many requests never get one, and binding costs as much as the whole stack. Node adds
 * one of its own when the exchange `isOver`.
 */
export function bindListeners(emitter: EventEmitter, isOver: () => boolean): void {
  const { on, addListener } = emitter;
  const bindFirst = (name: string | symbol, listener: (...values: unknown[]) => void): EventEmitter => {
    emitter.on = on;
    emitter.addListener = addListener;
    if (!isOver()) bindEmitter(emitter, AsyncLocalStorage.snapshot());
    return emitter.on(name, listener);
  };
  emitter.on = bindFirst as EventEmitter["on"];
  emitter.addListener = emitter.on;
}

function bindEmitter(emitter: EventEmitter, inContext: (run: () => boolean) => boolean): void {
  const { emit } = emitter;
  emitter.emit = (name: string | symbol, ...values: unknown[]): boolean => inContext(() => emit.call(emitter, name, ...values));
}
