import type { RequestBody } from "@heddle/core";
import type { Exchange } from "./exchange.ts";

/** A body as undici is given it. What the caller's own iterable throws is noted, so that it is not taken for the endpoint's failure. */
export function sendableBody(body: RequestBody, exchange: Exchange): null | string | Uint8Array | AsyncIterable<Uint8Array | string> {
  return body === null || typeof body === "string" || body instanceof Uint8Array ? body : watched(body, exchange);
}

async function* watched(body: AsyncIterable<Uint8Array | string>, exchange: Exchange): AsyncGenerator<Uint8Array | string, void, void> {
  try {
    yield* body;
  } catch (error) {
    exchange.bodyFailure = { error };
    throw error;
  }
}
