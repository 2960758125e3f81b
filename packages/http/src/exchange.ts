import type { Duplex } from "node:stream";
import { type Attempt, type BodySource, type Cancel, type HeaderMap, type MeshRequest, type MeshResponse, PushBody } from "@heddle/core";
import type { Dispatcher } from "undici";
import type { Wire } from "./connection.ts";
import { failureOfHandshake } from "./tls-failure.ts";
import { transportFailure } from "./transport-failure.ts";

type Controller = Dispatcher.DispatchController;

/**
 * One request on one connection: undici's handler, the source of the response's body, and what cancels both.
 * Settles its promise at the head, and is over when the body is. From then on it holds nothing: what a connection did last stays
 * reachable from it, and the garbage collector would take all that hangs on that, request after request, for old.
 */
export class Exchange implements Dispatcher.DispatchHandler, BodySource {
  /** Set by the {@link Connection} that takes this exchange; null while it waits for one. */
  wire: Wire | null = null;
  /** Nothing that undici still says about this exchange matters. */
  isOver = false;
  /** Set before the caller's own body iterable throws into undici. */
  bodyFailure: { readonly error: unknown } | null = null;
  readonly authority: string;
  readonly #cancel: Cancel;
  readonly #onCancel: (reason: unknown) => void;
  /** undici holds the head back until the first chunk of an iterable. */
  readonly #isSentAtOnce: boolean;
  #attempt: Attempt | null;
  #reply: Reply | null;
  #controller: Controller | null = null;
  #body: PushBody | null = null;
  #headers: HeaderMap | null = null;
  /** Of an upgrade or CONNECT; undici has let go of it. */
  #pipe: Duplex | null = null;
  #bytesReadBefore = 0;
  #isPaused = false;

  constructor(request: MeshRequest, resolve: (response: MeshResponse) => void, reject: (error: unknown) => void) {
    const { attempt, authority, body, cancel } = request;
    this.authority = authority;
    this.#attempt = attempt;
    this.#isSentAtOnce = body === null || typeof body === "string" || body instanceof Uint8Array;
    this.#reply = { resolve, reject };
    this.#cancel = cancel;
    this.#onCancel = (reason) => this.#stop(reason);
    this.#cancel.onCancel(this.#onCancel);
  }

  // What undici calls

  onRequestStart(controller: Controller): void {
    // Refusing by a throw leaves the connection as it is; aborting through the controller would cut it.
    if (this.isOver) throw this.#cancel.reason;
    this.#controller = controller;
    const attempt = this.#attempt;
    const wire = this.wire;
    if (attempt === null || wire === null) return;
    attempt.connection = wire.number;
    attempt.reusedConnection = wire.exchanges > 0;
    this.#bytesReadBefore = wire.socket?.bytesRead ?? 0;
    if (this.#isSentAtOnce) attempt.wasSent = true;
  }

  onBodySent(): void {
    if (this.#attempt) this.#attempt.wasSent = true;
  }

  onRequestSent(): void {
    if (this.#attempt) this.#attempt.wasSent = true;
  }

  onResponseStart(_controller: Controller, status: number, headers: HeaderMap): void {
    if (status < 200 || this.isOver) return;
    this.#body = new PushBody(this);
    this.#headers = headers;
    this.#reply?.resolve({ status, headers, body: this.#body });
  }

  onRequestUpgrade(_controller: Controller, status: number, headers: HeaderMap, socket: Duplex): void {
    if (this.isOver) {
      socket.destroy();
      return;
    }
    this.#pipe = socket;
    this.#body = new PushBody(this);
    let failure: unknown = null;
    // Until its new owner listens, an error would end the process.
    socket.on("error", (error) => {
      failure = error;
    });
    socket.once("close", () => {
      if (failure === null) this.onResponseEnd(null, null);
      else this.onResponseError(null, failure);
    });
    this.#reply?.resolve({ status, headers, body: this.#body, socket });
  }

  onResponseData(_controller: Controller, chunk: Uint8Array): void {
    this.#body?.push(chunk);
  }

  onResponseEnd(_controller: Controller | null, trailers: HeaderMap | null): void {
    const broken = this.wire?.socket?.errored ?? null;
    if (this.wire) this.wire.exchanges++;
    if (this.isOver) return;
    // undici takes a reset for the end of a body that only the end of its connection ends; RFC 9112 8 calls that body incomplete.
    if (broken !== null && this.#headers !== null && endsWithConnection(this.#headers)) {
      this.#fail(this.failure(broken));
      return;
    }
    const body = this.#body;
    this.#finish();
    body?.end(trailers !== null && hasAny(trailers) ? trailers : null);
  }

  onResponseError(_controller: Controller | null, error: unknown): void {
    if (!this.isOver) this.#fail(this.bodyFailure ? this.bodyFailure.error : this.failure(error));
  }

  // What the body's reader calls

  pause(): void {
    this.#isPaused = true;
    this.#controller?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    // Not at once: undici's parser cannot resume while it, or that of another connection, is in the middle of a chunk.
    queueMicrotask(() => {
      if (!this.#isPaused) this.#controller?.resume();
    });
  }

  abort(reason: unknown): void {
    if (this.isOver) return;
    this.#cut(reason);
    this.#finish();
  }

  /** What the caller is told about an error of undici; also narrows the attempt's record to what the error proves. */
  protected failure(error: unknown): unknown {
    const attempt = this.#attempt;
    const socket = this.wire?.socket;
    if (attempt?.reusedConnection && socket && socket.bytesRead !== this.#bytesReadBefore) attempt.reusedConnection = false;
    // A connection that died before a streamed body gave its first chunk carried nothing of this request.
    const wasSent = attempt ? attempt.wasSent : this.#controller !== null;
    return failureOfHandshake(socket ?? null, error, wasSent) ?? transportFailure(error, wasSent, this.#body !== null);
  }

  #stop(reason: unknown): void {
    if (this.isOver) return;
    this.#cut(reason);
    this.#fail(reason);
  }

  /** What undici says to it is no news. */
  #cut(reason: unknown): void {
    this.isOver = true;
    if (this.#pipe) this.#pipe.destroy(reason instanceof Error ? reason : undefined);
    else this.#controller?.abort(reason as Error);
  }

  #fail(failure: unknown): void {
    const body = this.#body;
    const reply = this.#reply;
    this.#finish();
    if (body) body.fail(failure);
    else reply?.reject(failure);
  }

  #finish(): void {
    this.isOver = true;
    this.#cancel.offCancel(this.#onCancel);
    this.wire = null;
    this.#attempt = null;
    this.#reply = null;
    this.#controller = null;
    this.#body = null;
    this.#headers = null;
    this.#pipe = null;
  }
}

interface Reply {
  readonly resolve: (response: MeshResponse) => void;
  readonly reject: (error: unknown) => void;
}

function endsWithConnection(headers: HeaderMap): boolean {
  return headers["content-length"] === undefined && headers["transfer-encoding"] === undefined;
}

function hasAny(headers: HeaderMap): boolean {
  for (const _name in headers) return true;
  return false;
}
