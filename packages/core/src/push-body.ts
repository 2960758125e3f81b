import type { DeadlineEntry, Deadlines } from "./deadlines.ts";
import { MeshError } from "./errors.ts";
import type { HeaderMap } from "./message.ts";

/** Who receives a body: chunks in order, then exactly one of `end` or `fail`. */
export interface BodySink {
  data(chunk: Uint8Array): void;
  end(trailers: HeaderMap | null): void;
  fail(error: unknown): void;
}

/** The transport's side of flow control. `abort` gives up the exchange; the transport then fails the body with the reason. */
export interface BodySource {
  pause(): void;
  resume(): void;
  abort(reason: unknown): void;
}

/** What a body holds before it pauses the transport: a smaller one ends whether or not anybody reads it. */
export const BODY_BUFFER_BYTES: number = 256 * 1024;
/** A reader that lets bytes wait this long no longer counts as load on the endpoint. */
export const SLOW_READER_MS = 1_000;
/** A reader that lets bytes wait this long is cut with `body_abandoned`. */
export const ABANDONED_MS = 30_000;

/** A gRPC message without bytes takes room too: no number of them is held for nothing. */
const EMPTY_CHUNK_BYTES = 64;

function roomOf({ length }: Uint8Array): number {
  return length === 0 ? EMPTY_CHUNK_BYTES : length;
}

type Listener = (error: unknown) => void;

/** Listeners in the order they came. Most bodies have three: links take a fraction of what an array does once it grows. */
interface Listening {
  readonly listener: Listener;
  next: Listening | null;
}

/**
 * A response body as a push source. What arrives before a sink is attached is kept, then handed straight on.
 * A response ends when its body ends (`whenEnd`); its load ends then, or when its reader has been slow (`whenReleased`).
 */
export class PushBody {
  trailers: HeaderMap | null = null;
  error: unknown = null;
  hasEnded = false;
  #source: BodySource | null;
  #sink: BodySink | null = null;
  #chunks: Uint8Array[] | null = null;
  #bufferedBytes = 0;
  #isDelivering = false;
  #sourcePaused = false;
  #readerPaused = false;
  #delivered = false;
  #firstListening: Listening | null = null;
  #lastListening: Listening | null = null;
  #releaseListeners: (() => void)[] | null = null;
  #isReleased = false;
  #readerWasSlow = false;
  #deadlines: Deadlines | null = null;
  #stall: DeadlineEntry | null = null;
  #translate: ((error: unknown) => unknown) | null = null;
  #cutAbandoned = true;
  #moved: (() => void) | null = null;

  constructor(source: BodySource | null) {
    this.#source = source;
  }

  /** A body that is complete from the start, for answers made by the mesh and for fakes. */
  static of(content: Uint8Array | string | null): PushBody {
    const body = new PushBody(null);
    if (content !== null && content.length > 0) body.push(typeof content === "string" ? Buffer.from(content) : content);
    body.end(null);
    return body;
  }

  // The transport's side

  push(chunk: Uint8Array): void {
    if (this.hasEnded) return;
    this.#moved?.();
    if (this.#sink && !this.#readerPaused && !this.#chunks) {
      this.#sink.data(chunk);
      return;
    }
    if (this.#chunks) this.#chunks.push(chunk);
    else this.#chunks = [chunk];
    this.#bufferedBytes += roomOf(chunk);
    if (this.#bufferedBytes >= BODY_BUFFER_BYTES && !this.#sourcePaused) {
      this.#sourcePaused = true;
      this.#source?.pause();
    }
    if (this.#deadlines && !this.#stall) this.#watchReader();
  }

  end(trailers: HeaderMap | null): void {
    this.trailers = trailers;
    this.#finish(null);
  }

  fail(error: unknown): void {
    this.#finish(error ?? new Error("the body failed"));
  }

  // The reader's side

  get isRead(): boolean {
    return this.#sink !== null;
  }

  /** Attaches the one reader. What is waiting is delivered before this returns. */
  attach(sink: BodySink): void {
    if (this.#sink) throw new TypeError("this body is already being read");
    this.#sink = sink;
    this.#flush();
  }

  pause(): void {
    this.#readerPaused = true;
  }

  resume(): void {
    if (!this.#readerPaused) return;
    this.#readerPaused = false;
    if (this.#sink) this.#flush();
  }

  /** The reader gives up. The exchange is aborted if it still runs; a body that is complete is simply forgotten. */
  abandon(reason: unknown): void {
    if (this.hasEnded) {
      this.#chunks = null;
      return;
    }
    this.#source?.abort(reason);
    this.#finish(reason);
  }

  // The mesh's side

  /** Replaces the transport's error, now or when it comes, by one that says where it happened. */
  translateError(translate: (error: unknown) => unknown): void {
    if (!this.hasEnded) this.#translate = translate;
    else if (this.error !== null) this.error = translate(this.error);
  }

  /** Calls back when the body has ended: null, or the error. Runs at once if it already has. */
  whenEnd(listener: Listener): void {
    if (this.hasEnded) {
      listener(this.error);
      return;
    }
    const listening: Listening = { listener, next: null };
    if (this.#lastListening) this.#lastListening.next = listening;
    else this.#firstListening = listening;
    this.#lastListening = listening;
  }

  /** Calls back once the endpoint is done with this exchange, or only its reader is being waited for. */
  whenReleased(listener: () => void): void {
    if (this.#isReleased || this.hasEnded) listener();
    else if (this.#releaseListeners) this.#releaseListeners.push(listener);
    else this.#releaseListeners = [listener];
  }

  /** From here on slow readers are noticed. `cutAbandoned: false` where backpressure is meant to hold (gRPC streams, upgrades). */
  guard(deadlines: Deadlines, cutAbandoned = true): void {
    if (this.hasEnded) return;
    this.#deadlines = deadlines;
    this.#cutAbandoned = cutAbandoned;
    if (this.#chunks) this.#watchReader();
  }

  /** Calls back whenever bytes arrive, and when the transport may go on after a slow reader held it: one listener. */
  whenMoved(listener: () => void): void {
    if (!this.hasEnded) this.#moved = listener;
  }

  /** Bytes wait for the reader, or have for long enough that the load was taken off the endpoint. */
  get isReaderBehind(): boolean {
    return this.#chunks !== null || this.#readerWasSlow;
  }

  /** The transport waits for the reader. */
  get isHeld(): boolean {
    return this.#sourcePaused;
  }

  #flush(): void {
    const chunks = this.#chunks;
    if (chunks && !this.#deliver(chunks)) return;
    this.#stopWatching();
    if (this.hasEnded) this.#deliverEnd();
    else if (this.#sourcePaused) {
      this.#sourcePaused = false;
      this.#moved?.();
      this.#source?.resume();
    }
  }

  /** Whether all that waited was delivered. A sink may pause, resume or abandon, and a source push, from within `data`. */
  #deliver(chunks: Uint8Array[]): boolean {
    if (this.#isDelivering) return false;
    this.#isDelivering = true;
    let taken = 0;
    try {
      while (taken < chunks.length && !this.#readerPaused && this.#chunks === chunks) {
        const chunk = chunks[taken++] as Uint8Array;
        this.#bufferedBytes -= roomOf(chunk);
        this.#sink?.data(chunk);
      }
    } finally {
      this.#isDelivering = false;
    }
    if (this.#chunks !== chunks) return false;
    if (taken === chunks.length) {
      this.#chunks = null;
      return true;
    }
    chunks.splice(0, taken);
    if (taken > 0) this.#readerMoved();
    return false;
  }

  #finish(error: unknown): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.error = error !== null && this.#translate ? this.#translate(error) : error;
    this.#source = null;
    this.#stopWatching();
    // An error overtakes bytes that wait for a paused reader: they would belong to an incomplete message.
    if (error !== null && this.#sink) this.#chunks = null;
    if (this.#sink && !this.#chunks) this.#deliverEnd();
    this.#release();
    let listening = this.#firstListening;
    this.#firstListening = null;
    this.#lastListening = null;
    for (; listening; listening = listening.next) listening.listener(this.error);
  }

  #deliverEnd(): void {
    if (this.#delivered) return;
    this.#delivered = true;
    if (this.error === null) this.#sink?.end(this.trailers);
    else this.#sink?.fail(this.error);
  }

  #release(): void {
    if (this.#isReleased) return;
    this.#isReleased = true;
    const listeners = this.#releaseListeners;
    this.#releaseListeners = null;
    if (listeners) for (const listener of listeners) listener();
  }

  #watchReader(): void {
    this.#stall = (this.#deadlines as Deadlines).add(SLOW_READER_MS, () => {
      this.#stall = null;
      this.#readerWasSlow = true;
      this.#release();
      this.#watchStall(ABANDONED_MS - SLOW_READER_MS);
    });
  }

  #watchStall(limitMs: number): void {
    if (this.#cutAbandoned && !this.hasEnded) this.#stall = (this.#deadlines as Deadlines).add(limitMs, () => this.#cut());
  }

  /** It took some of what waits: slow, but not stalled. */
  #readerMoved(): void {
    if (!this.#stall || !this.#isReleased) return;
    this.#stopWatching();
    this.#watchStall(ABANDONED_MS);
  }

  #cut(): void {
    this.abandon(
      new MeshError("body_abandoned", `the response body was not read for ${ABANDONED_MS / 1000} s while bytes were waiting; it was cut`),
    );
  }

  #stopWatching(): void {
    if (this.#stall) this.#deadlines?.remove(this.#stall);
    this.#stall = null;
  }
}
