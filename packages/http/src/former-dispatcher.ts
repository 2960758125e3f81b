import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import { Dispatcher } from "undici";

/** A dispatcher of undici 6 or 7. */
export interface FormerDispatcher {
  dispatch(options: Dispatcher.DispatchOptions, handler: FormerHandler): boolean;
}

/** A dispatcher of undici 6 or 7, spoken to as one of undici 8. It stays its owner's: closing this one does nothing. */
export class AdaptedDispatcher extends Dispatcher {
  readonly #former: FormerDispatcher;

  constructor(former: FormerDispatcher) {
    super();
    this.#former = former;
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    return this.#former.dispatch(options, new FormerHandler(handler));
  }

  override async close(): Promise<void> {}

  override async destroy(): Promise<void> {}
}

/** The handler interface of undici 6, which 7 still takes, in front of one of undici 8. */
class FormerHandler {
  readonly #handler: Dispatcher.DispatchHandler;
  #controller: FormerController = new FormerController(() => {});

  constructor(handler: Dispatcher.DispatchHandler) {
    this.#handler = handler;
  }

  onConnect(abort: (reason?: Error) => void, context: unknown): void {
    this.#controller = new FormerController(abort);
    this.#handler.onRequestStart?.(this.#controller, context);
  }

  onUpgrade(status: number, rawHeaders: readonly Uint8Array[], socket: Duplex): void {
    this.#controller.rawHeaders = headersOf(rawHeaders);
    this.#handler.onRequestUpgrade?.(this.#controller, status, this.#controller.rawHeaders, socket);
  }

  onHeaders(status: number, rawHeaders: readonly Uint8Array[] | null, resume: () => void, statusText: string): boolean {
    const controller = this.#controller;
    controller.onResume = resume;
    controller.rawHeaders = headersOf(rawHeaders ?? []);
    this.#handler.onResponseStart?.(controller, status, controller.rawHeaders, statusText);
    return !controller.paused;
  }

  onData(chunk: Buffer): boolean {
    this.#handler.onResponseData?.(this.#controller, chunk);
    return !this.#controller.paused;
  }

  onComplete(rawTrailers: readonly Uint8Array[] | null): void {
    this.#controller.rawTrailers = headersOf(rawTrailers ?? []);
    this.#handler.onResponseEnd?.(this.#controller, this.#controller.rawTrailers);
  }

  onError(error: Error): void {
    this.#handler.onResponseError?.(this.#controller, error);
  }

  onBodySent(): void {}
}

class FormerController implements Dispatcher.DispatchController {
  aborted = false;
  paused = false;
  reason: Error | null = null;
  rawHeaders: IncomingHttpHeaders | null = null;
  rawTrailers: IncomingHttpHeaders | null = null;
  onResume: (() => void) | null = null;
  readonly #abort: (reason?: Error) => void;

  constructor(abort: (reason?: Error) => void) {
    this.#abort = abort;
  }

  abort(reason: Error): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#abort(reason);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.onResume?.();
  }
}

function headersOf(raw: readonly Uint8Array[]): IncomingHttpHeaders {
  const headers: Record<string, string | string[]> = {};
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = latin1(raw[index]).toLowerCase();
    const value = latin1(raw[index + 1]);
    const before = headers[name];
    headers[name] = before === undefined ? value : [before, value].flat();
  }
  return headers;
}

function latin1(bytes: Uint8Array | undefined): string {
  return Buffer.from(bytes ?? []).toString("latin1");
}
