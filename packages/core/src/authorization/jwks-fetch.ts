import type { Clock } from "../clock.ts";
import { type KeyRing, MAX_JWKS_BYTES, parseJwks } from "./terms/jwks.ts";

/** What of an answer is read. */
export interface OwnResponse {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array> | null;
}

/**
 * A fetch for the mesh's own calls: through an agent of its own, not through the mesh, whose policies may need the answer. Must not follow
 * redirects; ends early when `signal` aborts. WHATWG's, as undici has it, is one.
 */
export type OwnFetch = (
  url: string,
  init: { readonly headers: Readonly<Record<string, string>>; readonly redirect: "manual"; readonly signal: AbortSignal },
) => Promise<OwnResponse>;

/** What the mesh asks others by itself, past the mesh. */
export interface OwnCalls {
  readonly fetch: OwnFetch;
  /** Cuts what is open. Idempotent. */
  close(): Promise<void>;
}

export interface JwksRequest {
  readonly url: string;
  readonly fetch: OwnFetch;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Ends the request early. */
  readonly signal: AbortSignal;
}

export interface FetchedJwks {
  readonly text: string;
  readonly ring: KeyRing;
}

/** Gets a key set once. Rejects with what was wrong; after `timeoutMs` whatever `fetch` does. A redirect is no key set: its target is nobody's setting. */
export async function fetchJwks({ url, fetch, clock, timeoutMs, signal }: JwksRequest): Promise<FetchedJwks> {
  const abort = new AbortController();
  const ended = Promise.withResolvers<never>();
  const end = (why: string): void => {
    const error = new Error(why);
    ended.reject(error);
    abort.abort(error);
  };
  const stop = (): void => end("the mesh closed");
  const timer = clock.setTimer(timeoutMs, () => end(`no complete answer within ${timeoutMs} ms`), "idle");
  signal.addEventListener("abort", stop);
  const exchange = async (): Promise<string> => {
    const response = await fetch(url, { headers: { accept: "application/json" }, redirect: "manual", signal: abort.signal });
    if (response.status !== 200) throw new Error(`it answered ${response.status}, expected 200`);
    return readText(response.body);
  };
  try {
    const text = await Promise.race([exchange(), ended.promise]);
    const reading = parseJwks(text);
    if (!reading.ok) throw new Error(reading.reason);
    return { text, ring: reading.value };
  } finally {
    clock.clearTimer(timer);
    signal.removeEventListener("abort", stop);
    // Nothing is left of an answer that was not read to its end.
    abort.abort();
  }
}

async function readText(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > MAX_JWKS_BYTES) throw new Error(`its answer has more than ${MAX_JWKS_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
