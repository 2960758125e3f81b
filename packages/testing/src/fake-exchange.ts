import { Cancel, type HeaderMap, type MeshRequest, type MeshResponse, PushBody } from "@heddle/core";
import type { CompleteAnswer } from "./answer.ts";

/**
 * The caller's side of one exchange: the promise of its head, then its body. Whatever ends it, ends it once; `stop` is cancelled then,
 * and everything that still works for it looks there.
 */
export class FakeExchange {
  readonly head: Promise<MeshResponse>;
  readonly stop: Cancel = new Cancel();
  readonly #request: MeshRequest;
  readonly #onOver: (isComplete: boolean) => void;
  readonly #abort = new AbortController();
  #resolve: (response: MeshResponse) => void = () => {};
  #reject: (error: unknown) => void = () => {};
  #body: PushBody | null = null;
  #isPaused = false;
  #goOn: (() => void) | null = null;

  constructor(request: MeshRequest, onOver: (isComplete: boolean) => void) {
    this.#request = request;
    this.#onOver = onOver;
    this.head = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    request.cancel.onCancel(this.break);
  }

  /** For the endpoint: the caller gave up. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Ends the exchange with an error: before the head the promise rejects, after it the body fails. */
  readonly break = (error: unknown): void => {
    if (this.stop.isCancelled) return;
    if (this.#body) this.#body.fail(error);
    else this.#reject(error);
    this.#over(false, error);
  };

  giveHead(status: number, headers: HeaderMap): PushBody {
    const body = new PushBody({ pause: () => this.#pause(), resume: () => this.#resume(), abort: this.break });
    this.#body = body;
    this.#resolve({ status, headers, body });
    return body;
  }

  async giveBody(answer: CompleteAnswer): Promise<void> {
    const body = this.giveHead(answer.status, answer.headers);
    await forEach(answer.body, this.stop, async (chunk) => {
      body.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
      if (this.#isPaused) await this.#whenResumed();
    });
    if (this.stop.isCancelled) return;
    body.end(answer.trailers());
    this.#over(true, null);
  }

  #over(isComplete: boolean, reason: unknown): void {
    this.#request.cancel.offCancel(this.break);
    this.stop.cancel(reason);
    this.#resume();
    if (!isComplete) this.#abort.abort(reason);
    this.#onOver(isComplete);
  }

  #pause(): void {
    this.#isPaused = true;
  }

  #resume(): void {
    this.#isPaused = false;
    this.#goOn?.();
    this.#goOn = null;
  }

  #whenResumed(): Promise<void> {
    return new Promise((resolve) => {
      this.#goOn = resolve;
    });
  }
}

/** Visits the chunks of a stream until it ends or `stop` is cancelled; lets the stream know that nobody wants more. */
export async function forEach<T>(
  source: Iterable<T> | AsyncIterable<T>,
  stop: Cancel,
  visit: (chunk: T) => void | Promise<void>,
): Promise<void> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  // What a stream nobody reads any more throws while it is closed interests nobody.
  const leave = () => void Promise.resolve(iterator.return?.()).catch(() => undefined);
  stop.onCancel(leave);
  try {
    while (!stop.isCancelled) {
      const step = await iterator.next();
      if (step.done) break;
      if (!stop.isCancelled) await visit(step.value);
    }
  } finally {
    stop.offCancel(leave);
  }
}
