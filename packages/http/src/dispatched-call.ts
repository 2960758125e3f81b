import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import type { BodySink, DeadlineEntry, Deadlines, HeaderMap, MeshRequest, MeshResponse, PushBody } from "@heddle/core";
import { type Dispatcher, errors } from "undici";
import { nodeHttp } from "./node-http.ts";

type Handler = Dispatcher.DispatchHandler;

/** What `opts.headersTimeout` and `opts.bodyTimeout` ask for; 0 or absent: nothing. */
export interface DispatchTimeouts {
  readonly headersMs: number;
  readonly bodyMs: number;
}

/**
 * One request that came in through undici's dispatcher interface: the controller that its handler holds, and the sink that hands the
 * response over. Holds nothing once it is over. Calls the handler in undici's order: `onRequestStart` before anything, then either the response or one error.
 */
export class DispatchedCall implements Dispatcher.DispatchController, BodySink {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  /** Undici's handlers take the parsed form too. */
  rawHeaders: IncomingHttpHeaders | null = null;
  rawTrailers: IncomingHttpHeaders | null = null;
  #handler: Handler | null;
  readonly #timeouts: DispatchTimeouts | null;
  readonly #deadlines: Deadlines;
  #request: MeshRequest | null = null;
  #body: PushBody | null = null;
  #isOver = false;
  #waiting: DeadlineEntry | null = null;

  constructor(handler: Handler, timeouts: DispatchTimeouts | null, deadlines: Deadlines) {
    this.#handler = handler;
    this.#timeouts = timeouts;
    this.#deadlines = deadlines;
  }

  /** Tells the handler that its request starts. False if it gave up at once or is broken: nothing may be sent then. */
  begin(): boolean {
    try {
      this.#handler?.onRequestStart?.(this, null);
    } catch (error) {
      this.fail(error);
    }
    return !this.#isOver;
  }

  started(request: MeshRequest): void {
    this.#request = request;
    const { headersMs } = this.#timeouts ?? { headersMs: 0 };
    if (headersMs > 0) this.#waiting = this.#deadlines.add(headersMs, () => this.abort(new errors.HeadersTimeoutError()));
  }

  /** The head. */
  respond(response: MeshResponse): void {
    const { body } = response;
    if (this.#isOver) {
      body.abandon(this.reason);
      return;
    }
    this.#stopWaiting();
    if (response.socket) {
      this.#handOver(response, response.socket);
      return;
    }
    this.#body = body;
    const headers = response.headers as IncomingHttpHeaders;
    this.rawHeaders = headers;
    if (this.paused) body.pause();
    try {
      this.#handler?.onResponseStart?.(this, response.status, headers, nodeHttp.STATUS_CODES[response.status] ?? "");
    } catch (error) {
      this.abort(error as Error);
      return;
    }
    if (this.#isOver) return;
    this.#waitForBody();
    body.attach(this);
  }

  #handOver({ status, headers, body }: MeshResponse, socket: Duplex): void {
    const handler = this.#finish();
    this.rawHeaders = headers as IncomingHttpHeaders;
    try {
      handler?.onRequestUpgrade?.(this, status, this.rawHeaders, socket);
    } catch (error) {
      body.abandon(error);
      handler?.onResponseError?.(this, error as Error);
    }
  }

  // The controller

  abort(reason?: Error): void {
    if (this.#isOver) return;
    this.aborted = true;
    this.reason = reason ?? new errors.RequestAbortedError();
    const { reason: why } = this;
    const request = this.#request;
    const body = this.#body;
    this.fail(why);
    // First, so that the exchange is counted as cancelled and not as broken.
    request?.context.cancel.cancel(why);
    body?.abandon(why);
  }

  pause(): void {
    this.paused = true;
    this.#body?.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.#body?.resume();
  }

  // The sink

  data(chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#waitForBody();
    try {
      this.#handler?.onResponseData?.(this, chunk as Buffer);
    } catch (error) {
      this.abort(error as Error);
    }
  }

  end(trailers: HeaderMap | null): void {
    if (this.#isOver) return;
    const handler = this.#finish();
    this.rawTrailers = (trailers ?? {}) as IncomingHttpHeaders;
    try {
      handler?.onResponseEnd?.(this, this.rawTrailers);
    } catch (error) {
      handler?.onResponseError?.(this, error as Error);
    }
  }

  fail(error: unknown): void {
    if (this.#isOver) return;
    const wasAnswered = this.#body !== null;
    const handler = this.#finish();
    const tell = () => handler?.onResponseError?.(this, error as Error);
    // Undici's fetch listens some microtasks after the head: of what broke before that, its reader would never hear.
    if (wasAnswered) process.nextTick(tell);
    else tell();
  }

  #finish(): Handler | null {
    const handler = this.#handler;
    this.#isOver = true;
    this.#stopWaiting();
    this.#handler = null;
    this.#request = null;
    this.#body = null;
    return handler;
  }

  #waitForBody(): void {
    if (this.#timeouts === null || this.#timeouts.bodyMs === 0) return;
    this.#stopWaiting();
    this.#waiting = this.#deadlines.add(this.#timeouts.bodyMs, () => {
      // A reader that paused is what is being waited for, not the server.
      if (this.paused) this.#waitForBody();
      else this.abort(new errors.BodyTimeoutError());
    });
  }

  #stopWaiting(): void {
    if (this.#waiting) this.#deadlines.remove(this.#waiting);
    this.#waiting = null;
  }
}
