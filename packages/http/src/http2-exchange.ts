import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type OutgoingHttpHeaders,
} from "node:http2";
import { type BodySource, type HeaderMap, type MeshRequest, type MeshResponse, PushBody } from "@heddle/core";
import { errors } from "undici";
import { streamFailure } from "./http2-failure.ts";
import { headersOf, requestHead } from "./http2-headers.ts";
import type { Http2Session } from "./http2-session.ts";
import { type Chunks, type Sending, sendableBody } from "./sendable-body.ts";

/**
 * One request on one stream: what comes on the stream, the source of the response's body, and what cancels both. Settles its promise at
 * the head, and is over when the body is.
 */
export class Http2Exchange implements BodySource, Sending {
  isOver = false;
  /** Connections that were lost while it waited for one. */
  sessionsLost = 0;
  bodyFailure: { readonly error: unknown } | null = null;
  readonly #onCancel: (reason: unknown) => void = (reason) => this.#stop(reason);
  #request: MeshRequest | null;
  #reply: Reply | null;
  /** Where it waits until it has a stream. */
  readonly #queue: Queue;
  #session: Http2Session | null = null;
  #stream: ClientHttp2Stream | null = null;
  #chunks: AsyncIterator<Uint8Array | string, void> | null = null;
  #body: PushBody | null = null;
  #error: Error | null = null;
  #trailers: HeaderMap | null = null;
  #bytesReadBefore = 0;
  /** Of the body: what its head announced, and what came. */
  #expectedBytes = -1;
  #bytes = 0;
  #wasNotWritten = false;

  constructor(request: MeshRequest, queue: Queue, reply: Reply) {
    this.#request = request;
    this.#queue = queue;
    this.#reply = reply;
    request.cancel.onCancel(this.#onCancel);
  }

  get authority(): string {
    return this.#request?.authority ?? "";
  }

  /** Of the request, with the length where it is known; throws where what the caller says of it is not so. */
  head(): OutgoingHttpHeaders {
    const request = this.#request as MeshRequest;
    const head = requestHead(request);
    const bytes = knownLength(request);
    if (bytes === null) return head;
    head["content-length"] ??= String(bytes);
    if (Number(head["content-length"]) !== bytes) throw new errors.RequestContentLengthMismatchError();
    return head;
  }

  get isBodiless(): boolean {
    return this.#request?.body === null;
  }

  /** Nothing of it was written. */
  refuse(failure: unknown): void {
    if (!this.isOver) this.#fail(failure);
  }

  carriedBy(session: Http2Session, stream: ClientHttp2Stream): void {
    this.#session = session;
    this.#stream = stream;
    this.#bytesReadBefore = session.bytesRead;
    const { attempt, body } = this.#request as MeshRequest;
    if (attempt) {
      attempt.connection = session.number;
      attempt.reusedConnection = session.exchanges > 0;
      attempt.wasSent = true;
    }
    this.#listen(stream);
    const sendable = sendableBody(body, this);
    if (sendable === null) return;
    if (typeof sendable === "string" || sendable instanceof Uint8Array) stream.end(sendable);
    else void this.#sendChunks(stream, sendable);
  }

  // What the body's reader calls

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  abort(): void {
    if (this.isOver) return;
    this.#reset();
    this.#finish();
  }

  #listen(stream: ClientHttp2Stream): void {
    stream.on("response", (headers) => this.#answered(stream, headers));
    stream.on("trailers", (trailers) => {
      this.#trailers = headersOf(trailers);
    });
    stream.on("end", () => this.#ended(stream));
    stream.on("frameError", () => {
      this.#wasNotWritten = true;
    });
    stream.on("error", (error) => {
      this.#error ??= error;
    });
    stream.on("close", () => this.#closed(stream));
    noteHowItEnds(stream);
  }

  #answered(stream: ClientHttp2Stream, headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    if (this.isOver) return;
    const status = headers[":status"] ?? 0;
    const length = headers["content-length"];
    if (length !== undefined && this.#request?.method !== "HEAD" && status !== 304) this.#expectedBytes = Number(length);
    this.#body = new PushBody(this);
    // Not before: Node tells the head a tick late, and data that came with it at once.
    stream.on("data", (chunk: Uint8Array) => {
      this.#bytes += chunk.length;
      this.#body?.push(chunk);
    });
    this.#reply?.resolve({ status, headers: headersOf(headers), body: this.#body });
  }

  /** Node ends the body of a stream that was reset, too: what is not the whole answer is told by the close. */
  #ended(stream: ClientHttp2Stream): void {
    if (this.isOver || this.#body === null || stream.rstCode !== constants.NGHTTP2_NO_ERROR || wasCutShort(stream)) return;
    if (this.#expectedBytes >= 0 && this.#bytes !== this.#expectedBytes) return;
    const body = this.#body;
    const trailers = this.#trailers;
    if (this.#session) this.#session.exchanges++;
    // An answer that did not wait for the whole request needs no more of it.
    if (!stream.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
    this.#finish();
    body.end(trailers);
  }

  #closed(stream: ClientHttp2Stream): void {
    if (this.isOver) return;
    const session = this.#session;
    const attempt = this.#request?.attempt;
    if (attempt?.reusedConnection && session?.bytesRead !== this.#bytesReadBefore) attempt.reusedConnection = false;
    const isAbove = (stream.id ?? Number.POSITIVE_INFINITY) > (session?.lastStream ?? 0);
    const broken = {
      code: stream.rstCode ?? constants.NGHTTP2_CANCEL,
      error: this.#error ?? session?.brokenBy ?? null,
      hadHead: this.#body !== null,
      wasIgnored: isAbove || this.#wasNotWritten,
    };
    this.#fail(streamFailure(broken));
  }

  async #sendChunks(stream: ClientHttp2Stream, chunks: Chunks): Promise<void> {
    const iterator = chunks[Symbol.asyncIterator]();
    this.#chunks = iterator;
    const announced = Number(this.#request?.headers["content-length"] ?? Number.NaN);
    let sent = 0;
    try {
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        if (this.isOver) return;
        sent += Buffer.byteLength(next.value);
        if (sent > announced) throw new errors.RequestContentLengthMismatchError();
        if (!stream.write(next.value)) await drained(stream);
      }
      if (sent < announced) throw new errors.RequestContentLengthMismatchError();
      if (!this.isOver) stream.end();
    } catch (error) {
      // The caller's own, whatever it is: the endpoint has nothing to do with it.
      this.#stop(error);
    }
  }

  #stop(reason: unknown): void {
    if (this.isOver) return;
    const session = this.#session;
    const wasAnswered = this.#body !== null;
    this.#reset();
    this.#fail(reason);
    if (!wasAnswered) session?.probe();
  }

  /** Of the stream alone: others on the connection go on. */
  #reset(): void {
    this.isOver = true;
    this.#stream?.close(constants.NGHTTP2_CANCEL);
    // What has come and is not read must not keep it.
    this.#stream?.resume();
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
    this.#queue.forget(this);
    this.#request?.cancel.offCancel(this.#onCancel);
    // Whatever the caller's iterator says to that: nobody asks it any more.
    this.#chunks?.return?.()?.catch(() => undefined);
    this.#chunks = null;
    this.#request = null;
    this.#reply = null;
    this.#session = null;
    this.#stream = null;
    this.#body = null;
  }
}

interface Queue {
  forget(exchange: Http2Exchange): void;
}

interface Reply {
  readonly resolve: (response: MeshResponse) => void;
  readonly reject: (error: unknown) => void;
}

function knownLength({ body }: MeshRequest): number | null {
  if (typeof body === "string") return Buffer.byteLength(body);
  return body instanceof Uint8Array ? body.byteLength : null;
}

const CUT_SHORT = Symbol("cut short");

type Noting = ClientHttp2Stream & { [CUT_SHORT]?: boolean };

/**
 * A peer that resets a stream with NO_ERROR in the middle of its answer looks to Node's users like one that ended it. The end of the
 * body is pushed when END_STREAM came, on a stream that is still open; a reset closes the stream first.
 */
function noteHowItEnds(stream: Noting): void {
  stream.push = pushNoting;
}

function pushNoting(this: Noting, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk === null) this[CUT_SHORT] ??= this.closed;
  return (Object.getPrototypeOf(this) as ClientHttp2Stream).push.call(this, chunk, encoding);
}

function wasCutShort(stream: Noting): boolean {
  return stream[CUT_SHORT] === true;
}

/** Waits until more can be written, or never will be. */
function drained(stream: ClientHttp2Stream): Promise<void> {
  return new Promise((resolve) => {
    const goOn = () => {
      stream.off("drain", goOn);
      stream.off("close", goOn);
      resolve();
    };
    stream.on("drain", goOn);
    stream.on("close", goOn);
  });
}
