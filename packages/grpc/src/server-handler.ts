import type { EventEmitter } from "node:events";
import type { Writable } from "node:stream";
import { GrpcStatus } from "@heddle/core";

/** What an application gave for a method: `answer` is there where it has one answer to give, and `call` is a stream otherwise. */
export type HandlerFunction = (call: EventEmitter & { readonly cancelled?: boolean }, answer?: Answer) => unknown;

type Answer = (...parts: unknown[]) => void;

/** What failed inside has no details for strangers. */
const FAILED = { code: GrpcStatus.INTERNAL, details: "the handler of this method failed" };

/**
 * A handler whose call ends with INTERNAL where its promise rejects before it has answered: grpc-js looks at no promise, and its caller
 * would wait for its deadline. `rejected` is told why, unless the caller had left. What it throws at once is grpc-js's to answer.
 */
export function settled(handler: HandlerFunction, rejected: (error: unknown) => void): HandlerFunction {
  return (call, answer) => {
    let hasAnswered = false;
    const once: Answer | undefined =
      answer &&
      ((...parts) => {
        hasAnswered = true;
        answer(...parts);
      });
    const returned = handler(call, once);
    if (!isThenable(returned)) return returned;
    return Promise.resolve(returned).catch((error: unknown) => {
      // Without a callback it is a stream, which ends its call with the status of the error that it emits.
      const stream = once === undefined ? (call as EventEmitter & Writable) : null;
      const isOver = stream === null ? hasAnswered : stream.writableEnded;
      // grpc-js says the same of calls that are over.
      if (call.cancelled === true && !isOver) return;
      rejected(error);
      if (isOver) return;
      if (stream !== null) stream.emit("error", FAILED);
      else once?.(FAILED, null);
    });
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
