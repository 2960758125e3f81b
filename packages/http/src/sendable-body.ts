import { AsyncLocalStorage } from "node:async_hooks";
import type { RequestBody } from "@heddle/core";

/** Told what the caller's own body threw. */
export interface Sending {
  bodyFailure: { readonly error: unknown } | null;
}

export type Chunks = AsyncIterable<Uint8Array | string>;

/** A body as undici is given it, and HTTP/2. What the caller's own iterable throws is noted, so that it is not taken for the endpoint's failure. */
export function sendableBody(body: RequestBody, exchange: Sending): null | string | Uint8Array | Chunks {
  return body === null || typeof body === "string" || body instanceof Uint8Array ? body : inScope(watched(body, exchange));
}

async function* watched(body: Chunks, exchange: Sending): AsyncGenerator<Uint8Array | string, void, void> {
  try {
    yield* body;
  } catch (error) {
    exchange.bodyFailure = { error };
    throw error;
  }
}

/** undici asks for chunks when its connection can take them, in the connection's scope: the caller's code must run in the caller's. */
function inScope(chunks: AsyncGenerator<Uint8Array | string, void, void>): Chunks {
  const run = AsyncLocalStorage.snapshot();
  const iterator: AsyncIterator<Uint8Array | string, void> = {
    next: () => run(() => chunks.next()),
    return: () => run(() => chunks.return()),
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
