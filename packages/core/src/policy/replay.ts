import type { RequestBody } from "../message.ts";

/** The most of a streamed body that is kept for sending it again. */
export const REPLAY_BYTES: number = 64 * 1024;

type Chunk = Uint8Array | string;

const END: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** A body that can be sent once for each try, as far as it can. */
export interface Replay {
  /** The body of the next try; ends the one before. Only to be called while `isReplayable`. */
  next(): RequestBody;
  readonly isReplayable: boolean;
  /** There will be no further try: gives a source that was not read to its end back to its owner. */
  close(): void;
  /** Not of a body that can be sent again as it is. */
  readonly needsClosing: boolean;
}

export function replayOf(body: RequestBody): Replay {
  return body === null || typeof body === "string" || body instanceof Uint8Array ? new ValueReplay(body) : new StreamReplay(body);
}

class ValueReplay implements Replay {
  readonly isReplayable = true;
  readonly needsClosing = false;
  readonly #body: null | string | Uint8Array;

  constructor(body: null | string | Uint8Array) {
    this.#body = body;
  }

  next(): RequestBody {
    return this.#body;
  }

  close(): void {}
}

/**
 * Keeps what was read from a stream while it is sent, up to 64 KiB. A later try sends what was kept and goes on reading where the
 * one before stopped; beyond the limit there is no later try, and what was sent is forgotten.
 */
class StreamReplay implements Replay {
  readonly #source: AsyncIterable<Chunk>;
  #iterator: AsyncIterator<Chunk> | null = null;
  #kept: Chunk[] = [];
  #dropped = 0;
  #keptBytes = 0;
  #pulling: Promise<void> | null = null;
  #isDone = false;
  #failure: { readonly error: unknown } | null = null;
  #try = 0;
  isReplayable = true;
  readonly needsClosing = true;

  constructor(source: AsyncIterable<Chunk>) {
    this.#source = source;
  }

  next(): RequestBody {
    const current = ++this.#try;
    return { [Symbol.asyncIterator]: () => this.#read(current) };
  }

  close(): void {
    this.#try++;
    if (this.#isDone || !this.#iterator) return;
    this.#isDone = true;
    // A source that fails to clean up after its request is over has nobody left to tell.
    this.#iterator.return?.().catch(() => {});
  }

  async *#read(current: number): AsyncGenerator<Chunk, void, undefined> {
    for (let index = 0; ; index++) {
      while (index >= this.#dropped + this.#kept.length && !this.#isDone) await this.#pull();
      // Not an end: what was read so far would pass for the whole body.
      if (current !== this.#try) throw new Error("this try was given up for another");
      const chunk = this.#kept[index - this.#dropped];
      if (chunk === undefined) {
        if (this.#failure) throw this.#failure.error;
        return;
      }
      if (!this.isReplayable) {
        this.#kept.splice(0, index - this.#dropped + 1);
        this.#dropped = index + 1;
      }
      yield chunk;
    }
  }

  /** Reads one more chunk; a read that an abandoned try began serves the next one. */
  #pull(): Promise<void> {
    this.#pulling ??= this.#advance().finally(() => {
      this.#pulling = null;
    });
    return this.#pulling;
  }

  async #advance(): Promise<void> {
    this.#iterator ??= this.#source[Symbol.asyncIterator]();
    const result = await this.#iterator.next().catch((error: unknown) => {
      // Asked again, most sources would say that they are at their end.
      this.#failure = { error };
      this.isReplayable = false;
      return END;
    });
    if (result.done) {
      this.#isDone = true;
      return;
    }
    this.#kept.push(result.value);
    // A gRPC message without bytes takes room too.
    this.#keptBytes += (typeof result.value === "string" ? Buffer.byteLength(result.value) : result.value.length) || 1;
    if (this.#keptBytes > REPLAY_BYTES) this.isReplayable = false;
  }
}
