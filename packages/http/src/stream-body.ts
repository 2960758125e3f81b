import type { BodySink, PushBody } from "@heddle/core";

/** What a stream holds before it tells the transport to wait. */
const HIGH_WATER_BYTES = 64 * 1024;

/** The body as a web stream, with backpressure down to the socket. Cancelling it gives the exchange up. */
export function streamBody(body: PushBody): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        body.attach(new StreamSink(body, controller));
      },
      pull() {
        body.resume();
      },
      cancel(reason) {
        body.abandon(reason ?? new DOMException("The stream was cancelled.", "AbortError"));
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: HIGH_WATER_BYTES }),
  );
}

class StreamSink implements BodySink {
  readonly #body: PushBody;
  readonly #controller: ReadableStreamDefaultController<Uint8Array>;
  #isClosed = false;

  constructor(body: PushBody, controller: ReadableStreamDefaultController<Uint8Array>) {
    this.#body = body;
    this.#controller = controller;
  }

  data(chunk: Uint8Array): void {
    if (this.#isClosed) return;
    this.#controller.enqueue(chunk);
    if ((this.#controller.desiredSize ?? 0) <= 0) this.#body.pause();
  }

  end(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#controller.close();
  }

  fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#controller.error(error);
  }
}
