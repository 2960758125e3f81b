import { type MessageContext, nothing } from "./grpc-js-types.ts";

interface Waiting {
  readonly message: Uint8Array;
  /** Called when the message was taken: the next one may be written. */
  readonly taken: () => void;
}

type Step = IteratorResult<Uint8Array, undefined>;

const END: Step = { done: true, value: undefined };

/**
 * The messages of one call on their way down, as the body of its request: each is given out once, in order, and only when asked for. A
 * writer hears that its message was taken as soon as it is given out, so that at most one waits while another is on its way.
 */
export class OutgoingMessages implements AsyncIterable<Uint8Array> {
  #waiting: Waiting[] = [];
  #asking: { readonly resolve: (step: Step) => void; readonly reject: (error: unknown) => void } | null = null;
  #isOver = false;
  isHalfClosed = false;

  push(message: Uint8Array, context: MessageContext): void {
    const taken = context.callback ?? nothing;
    if (this.#isOver || this.isHalfClosed) {
      taken();
    } else if (this.#asking) {
      const { resolve } = this.#asking;
      this.#asking = null;
      resolve({ done: false, value: message });
      taken();
    } else this.#waiting.push({ message, taken });
  }

  halfClose(): void {
    this.isHalfClosed = true;
    this.#asking?.resolve(END);
    this.#asking = null;
  }

  /** All of them as a body that can be sent again: null without any, the bytes of a single one. Only once half-closed. */
  whole(): null | Uint8Array | AsyncIterable<Uint8Array> {
    if (this.#waiting.length > 1) return this;
    return this.#take()?.message ?? null;
  }

  /** The call is over: writers are let go, and whoever still asks hears why, since what was written so far is not all there was to be. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#asking?.reject(NOT_WANTED);
    this.#asking = null;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { taken } of waiting) taken();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return {
      next: () => this.#next(),
      return: () => {
        this.close();
        return Promise.resolve(END);
      },
    };
  }

  #next(): Promise<Step> {
    const taken = this.#take();
    if (taken) return Promise.resolve({ done: false, value: taken.message });
    if (this.isHalfClosed) return Promise.resolve(END);
    if (this.#isOver) return Promise.reject(NOT_WANTED);
    return new Promise((resolve, reject) => {
      this.#asking = { resolve, reject };
    });
  }

  #take(): Waiting | undefined {
    const first = this.#waiting.shift();
    first?.taken();
    return first;
  }
}

const NOT_WANTED: Error = new Error("the call is over: no more messages are sent");
