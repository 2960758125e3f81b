import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import {
  type BodySource,
  emptyHeaders,
  GrpcStatus,
  type HeaderMap,
  MeshError,
  type MeshRequest,
  type MeshResponse,
  PushBody,
  requestName,
} from "@heddle/core";
import { type Chunks, http2HeadersOf, requestHead, type Sending, sendableBody } from "@heddle/http";
import { callFailure, notGrpc } from "./grpc-failure.ts";
import type { CallStatus } from "./grpc-js-shape.ts";
import type { Caller, GrpcJsCall } from "./grpc-js-transport.ts";

/** Where a call waits until it has a connection, and who counts it until it is over. */
export interface ExchangeOwner {
  isOver(exchange: GrpcExchange): void;
  /** The caller left before there was an answer. */
  wasGivenUp(exchange: GrpcExchange): void;
}

/** What an exchange knows of the connection it travels on. */
export interface CarryingConnection {
  readonly number: number;
  readonly exchanges: number;
  readonly bytesRead: number;
  readonly brokenBy: Error | null;
}

interface Reply {
  readonly resolve: (response: MeshResponse) => void;
  readonly reject: (error: unknown) => void;
}

const END_STREAM = 1;

/**
 * One try of a call: what grpc-js tells of it, the source of the answer's body, and what cancels both. Settles its promise at the head, or
 * at the trailers where there is none, and is over when the body is.
 */
export class GrpcExchange implements BodySource, Sending, Caller {
  readonly authority: string;
  readonly head: Caller["head"];
  readonly waitsForReady: boolean;
  answerHead: IncomingHttpHeaders | null = null;
  isOver = false;
  isComplete = false;
  /** Connections that were lost while it waited for one. */
  connectionsLost = 0;
  bodyFailure: { readonly error: unknown } | null = null;
  connection: CarryingConnection | null = null;
  readonly #owner: ExchangeOwner;
  readonly #onCancel: (reason: unknown) => void = (reason) => this.stop(reason);
  #request: MeshRequest | null;
  #reply: Reply | null;
  #call: GrpcJsCall | null = null;
  #chunks: AsyncIterator<Uint8Array | string, void> | null = null;
  #written: (() => void) | null = null;
  #body: PushBody | null = null;
  #trailers: IncomingHttpHeaders | null = null;
  #brokenBy: Error | null = null;
  #mostBytes: number = Number.POSITIVE_INFINITY;
  #bytesReadBefore = 0;
  #isPaused = false;
  #mayRead = true;
  /** Its caller can do nothing before it has the one message of the answer. */
  readonly #awaitsOne: boolean;
  #heldHead: IncomingHttpHeaders | null = null;
  #heldMessage: Uint8Array | null = null;
  /** The promise of the answer was settled in this turn: nobody has seen that its body goes on. */
  #isFresh = false;

  /** Throws where the request cannot be sent as it is. */
  constructor(request: MeshRequest, owner: ExchangeOwner, reply: Reply) {
    const { rpc } = request.context;
    if (rpc === null || request.method !== "POST") throw notACall(request);
    this.head = requestHead(request);
    this.authority = request.authority;
    this.waitsForReady = rpc.waitForReady;
    this.#awaitsOne = rpc.kind === "unary";
    this.#request = request;
    this.#owner = owner;
    this.#reply = reply;
    request.cancel.onCancel(this.#onCancel);
  }

  /** The connection on which it is about to start. `mostBytes`: of a message; negative: any number. Whether it may. */
  prepareFor(connection: CarryingConnection, mostBytes: number): boolean {
    const request = this.#request as MeshRequest;
    this.#mostBytes = mostBytes < 0 ? Number.POSITIVE_INFINITY : mostBytes;
    if (request.body instanceof Uint8Array && request.body.byteLength > this.#mostBytes) {
      this.refuse(tooLarge(request));
      return false;
    }
    this.connection = connection;
    return true;
  }

  startedOn(call: GrpcJsCall, stream: ClientHttp2Stream): void {
    const { attempt, body } = this.#request as MeshRequest;
    const connection = this.connection as CarryingConnection;
    this.#call = call;
    this.#bytesReadBefore = connection.bytesRead;
    if (attempt) {
      attempt.connection = connection.number;
      attempt.reusedConnection = connection.exchanges > 0;
      attempt.wasSent = true;
    }
    this.#listen(stream);
    call.startRead();
    const sendable = sendableBody(body, this);
    if (sendable !== null && typeof sendable !== "string" && !(sendable instanceof Uint8Array)) {
      void this.#sendChunks(call, sendable);
      return;
    }
    if (sendable !== null) call.send(bytesOf(sendable));
    call.halfClose();
  }

  /** What it waited for will not be. */
  refuse(failure: unknown): void {
    if (this.isOver) return;
    this.#call?.cancel();
    this.#fail(failure);
  }

  stop(reason: unknown): void {
    if (this.isOver) return;
    const wasAnswered = this.#body !== null;
    this.#call?.cancel();
    if (!wasAnswered) this.#owner.wasGivenUp(this);
    this.#fail(reason);
  }

  // What the body's reader calls

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#read();
  }

  abort(): void {
    if (this.isOver) return;
    this.#call?.cancel();
    this.#finish();
  }

  // What grpc-js calls

  onReceiveMetadata(): void {
    const head = this.answerHead;
    if (this.isOver || head === null) return;
    if (!isGrpc(head)) {
      const failure = notGrpc(statusOf(head), head);
      this.#call?.cancel();
      this.#fail(failure);
      return;
    }
    // An answer of one message is nothing before its status is there: who is broken off in between may be asked again elsewhere.
    if (this.#awaitsOne) this.#heldHead = head;
    else this.#begin(head);
  }

  /** Gives on what was held back. */
  #release(): void {
    const head = this.#heldHead;
    const message = this.#heldMessage;
    this.#heldHead = null;
    this.#heldMessage = null;
    if (head) this.#begin(head);
    if (message) this.#body?.push(message);
  }

  #begin(head: IncomingHttpHeaders): void {
    this.#body = new PushBody(this);
    this.#isFresh = true;
    queueMicrotask(() => {
      this.#isFresh = false;
    });
    this.#reply?.resolve({ status: 200, headers: http2HeadersOf(head), body: this.#body });
  }

  onReceiveMessage(message: Uint8Array): void {
    if (this.isOver) return;
    this.#mayRead = true;
    if (this.#heldHead && this.#heldMessage === null) this.#heldMessage = message;
    else {
      // A second message where one is awaited is for its caller to refuse.
      this.#release();
      this.#body?.push(message);
    }
    this.#read();
  }

  onReceiveStatus(status: CallStatus): void {
    if (this.isOver) return;
    if (this.#hasStatus(status)) this.#release();
    // Only an answer of trailers alone may have ended by the time that it is there.
    if (this.#isFresh) queueMicrotask(() => process.nextTick(() => this.#ended(status)));
    else this.#ended(status);
  }

  /** Before grpc-js looks at it: it tells neither the HTTP status nor whether a status is the server's. */
  #listen(stream: ClientHttp2Stream): void {
    stream.prependListener("response", (headers, flags) => {
      this.answerHead = headers;
      if (flags & END_STREAM) this.#trailers = headers;
    });
    stream.prependListener("trailers", (trailers) => {
      this.#trailers = trailers;
    });
    stream.on("error", (error) => {
      if (!isOfTheStream(error)) this.#brokenBy ??= error;
    });
  }

  #ended(status: CallStatus): void {
    if (this.isOver) return;
    const trailers = this.#trailers;
    if (trailers !== null && this.#hasStatus(status)) this.#complete(http2HeadersOf(trailers));
    else this.#broke(status, trailers);
  }

  /** Whatever the server calls its status, it is one; another code is what this side made of a message that came before. */
  #hasStatus({ code }: CallStatus): boolean {
    const sent = this.#trailers?.["grpc-status"];
    return sent !== undefined && Object.is(Number(sent), code);
  }

  #complete(trailers: HeaderMap): void {
    const body = this.#body;
    const reply = this.#reply;
    this.isComplete = true;
    this.#finish();
    if (body) {
      body.end(trailers);
      return;
    }
    const only = new PushBody(null);
    only.end(trailers);
    reply?.resolve({ status: 200, headers: emptyHeaders(), body: only });
  }

  #broke(status: CallStatus, trailers: IncomingHttpHeaders | null): void {
    const { connection } = this;
    const attempt = this.#request?.attempt;
    if (attempt?.reusedConnection && connection?.bytesRead !== this.#bytesReadBefore) attempt.reusedConnection = false;
    this.#fail(
      callFailure({
        status,
        trailers,
        hadHead: this.#body !== null || this.#heldHead !== null,
        httpStatus: statusOf(this.answerHead ?? {}),
        brokenBy: this.#brokenBy ?? connection?.brokenBy ?? null,
      }),
    );
  }

  #read(): void {
    if (this.isOver || this.#isPaused || !this.#mayRead) return;
    this.#mayRead = false;
    this.#call?.startRead();
  }

  async #sendChunks(call: GrpcJsCall, chunks: Chunks): Promise<void> {
    const iterator = chunks[Symbol.asyncIterator]();
    this.#chunks = iterator;
    try {
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        if (this.isOver) return;
        const bytes = bytesOf(next.value);
        if (bytes.length > this.#mostBytes) throw tooLarge(this.#request as MeshRequest);
        // As fast as the server reads: a message counts as written when it has been let through.
        await new Promise<void>((resolve) => {
          this.#written = resolve;
          call.send(bytes, resolve);
        });
      }
      if (!this.isOver) call.halfClose();
    } catch (error) {
      // The caller's own, whatever it is: the endpoint has nothing to do with it.
      this.stop(error);
    }
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
    this.#request?.cancel.offCancel(this.#onCancel);
    this.#owner.isOver(this);
    this.#written?.();
    // Whatever the caller's iterator says to that: nobody asks it any more.
    this.#chunks?.return?.()?.catch(() => undefined);
    this.#chunks = null;
    this.#written = null;
    this.#request = null;
    this.#reply = null;
    this.#call = null;
    this.#body = null;
    this.#heldMessage = null;
  }
}

function bytesOf(message: Uint8Array | string): Buffer {
  if (typeof message === "string") return Buffer.from(message);
  return Buffer.isBuffer(message) ? message : Buffer.from(message.buffer, message.byteOffset, message.byteLength);
}

function isGrpc(head: IncomingHttpHeaders): boolean {
  return statusOf(head) === 200 && (head["content-type"]?.startsWith("application/grpc") ?? false);
}

/** A reset of this call alone, which grpc-js has the code of. */
function isOfTheStream(error: Error): boolean {
  return (error as { code?: unknown }).code === "ERR_HTTP2_STREAM_ERROR";
}

function statusOf(head: IncomingHttpHeaders): number {
  return Number(head[":status"] ?? 0);
}

function notACall(request: MeshRequest): MeshError {
  return new MeshError(
    "invalid_config",
    `${requestName(request)}: a service with protocol: grpc takes gRPC calls; this is a request over HTTP. Nothing was sent`,
  );
}

function tooLarge(request: MeshRequest): MeshError {
  const words = `${requestName(request)}: a message is larger than grpc.max_send_message_length of its client allows`;
  return new MeshError("invalid_request", words, { grpcStatus: GrpcStatus.RESOURCE_EXHAUSTED });
}
