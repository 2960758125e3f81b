import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import {
  type BodySource,
  emptyHeaders,
  GrpcStatus,
  type HeaderMap,
  headerValue,
  MeshError,
  type MeshRequest,
  type MeshResponse,
  PushBody,
  requestName,
} from "@heddle/core";
import { type Chunks, http2HeadersOf, requestHead, type Sending, sendableBody } from "@heddle/http";
import { callFailure, notGrpc } from "./grpc-failure.ts";
import type { CallListener, CallStart, CallStatus, GrpcJsChannel, StartedCall } from "./grpc-js-channel.ts";

/** Where a call is: it waits until it is handed to grpc-js, and has started once it has a stream. */
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
export class GrpcExchange implements BodySource, Sending, CallStart, CallListener {
  readonly path: string;
  readonly authority: string;
  readonly headers: CallStart["headers"];
  readonly userAgent: string | undefined;
  readonly waitsForReady: boolean;
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
  #started: StartedCall | null = null;
  #chunks: AsyncIterator<Uint8Array | string, void> | null = null;
  #written: (() => void) | null = null;
  #body: PushBody | null = null;
  #head: IncomingHttpHeaders | null = null;
  #trailers: IncomingHttpHeaders | null = null;
  #brokenBy: Error | null = null;
  #bytesReadBefore = 0;
  #isPaused = false;
  #mayRead = true;
  /** The promise of the answer was settled in this turn: nobody has seen that its body goes on. */
  #isFresh = false;

  /** Throws where the request cannot be sent as it is. */
  constructor(request: MeshRequest, owner: ExchangeOwner, reply: Reply) {
    const { rpc } = request.context;
    if (rpc === null || request.method !== "POST") throw notACall(request);
    this.headers = requestHead(request);
    this.path = request.path;
    this.authority = request.authority;
    this.userAgent = headerValue(request.headers, "user-agent");
    this.waitsForReady = rpc.waitForReady;
    this.#request = request;
    this.#owner = owner;
    this.#reply = reply;
    request.cancel.onCancel(this.#onCancel);
  }

  handTo(channel: GrpcJsChannel): void {
    const request = this.#request as MeshRequest;
    if (request.body instanceof Uint8Array && !channel.takes(request.body)) {
      this.refuse(tooLarge(request));
      return;
    }
    const started = channel.start(this, this);
    this.#started = started;
    const { call } = started;
    call.startRead();
    const body = sendableBody(request.body, this);
    if (body !== null && typeof body !== "string" && !(body instanceof Uint8Array)) {
      void this.#sendChunks(channel, started, body);
      return;
    }
    if (body !== null) call.sendMessageWithContext({}, bytesOf(body));
    call.halfClose();
  }

  carriedBy(connection: CarryingConnection, stream: ClientHttp2Stream): void {
    this.connection = connection;
    this.#bytesReadBefore = connection.bytesRead;
    const attempt = this.#request?.attempt;
    if (attempt) {
      attempt.connection = connection.number;
      attempt.reusedConnection = connection.exchanges > 0;
      attempt.wasSent = true;
    }
    // Before grpc-js looks at it: it tells neither the HTTP status nor whether a status is the server's.
    stream.prependListener("response", (headers, flags) => {
      this.#head = headers;
      if (flags & END_STREAM) this.#trailers = headers;
    });
    stream.prependListener("trailers", (trailers) => {
      this.#trailers = trailers;
    });
    stream.on("error", (error) => {
      if (!isOfTheStream(error)) this.#brokenBy ??= error;
    });
  }

  /** What it waited for will not be. */
  refuse(failure: unknown): void {
    if (this.isOver) return;
    this.#started?.cancel();
    this.#fail(failure);
  }

  stop(reason: unknown): void {
    if (this.isOver) return;
    const wasAnswered = this.#body !== null;
    this.#started?.cancel();
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
    this.#started?.cancel();
    this.#finish();
  }

  // What grpc-js calls

  onReceiveMetadata(): void {
    const head = this.#head;
    if (this.isOver || head === null) return;
    if (!isGrpc(head)) {
      const failure = notGrpc(statusOf(head), head);
      this.#started?.cancel();
      this.#fail(failure);
      return;
    }
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
    this.#body?.push(message);
    this.#read();
  }

  onReceiveStatus(status: CallStatus): void {
    if (this.isOver) return;
    // Only an answer of trailers alone may have ended by the time that it is there.
    if (this.#isFresh) queueMicrotask(() => process.nextTick(() => this.#ended(status)));
    else this.#ended(status);
  }

  #ended(status: CallStatus): void {
    if (this.isOver) return;
    const trailers = this.#trailers;
    // Whatever the server calls its status, it is one; another code is what this side made of a message that came before.
    if (trailers?.["grpc-status"] !== undefined && Object.is(Number(trailers["grpc-status"]), status.code))
      this.#complete(http2HeadersOf(trailers));
    else this.#broke(status, trailers);
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
        wasStarted: connection !== null,
        hadHead: this.#body !== null,
        httpStatus: statusOf(this.#head ?? {}),
        brokenBy: this.#brokenBy ?? connection?.brokenBy ?? null,
      }),
    );
  }

  #read(): void {
    if (this.isOver || this.#isPaused || !this.#mayRead) return;
    this.#mayRead = false;
    this.#started?.call.startRead();
  }

  async #sendChunks(channel: GrpcJsChannel, { call }: StartedCall, chunks: Chunks): Promise<void> {
    const iterator = chunks[Symbol.asyncIterator]();
    this.#chunks = iterator;
    try {
      for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
        if (this.isOver) return;
        const bytes = bytesOf(next.value);
        if (!channel.takes(bytes)) throw tooLarge(this.#request as MeshRequest);
        // grpc-js holds one message: another one before its callback would take its place.
        await new Promise<void>((resolve) => {
          this.#written = resolve;
          call.sendMessageWithContext({ callback: () => resolve() }, bytes);
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
    this.#started = null;
    this.#body = null;
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
