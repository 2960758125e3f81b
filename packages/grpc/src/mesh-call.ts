import { AsyncResource } from "node:async_hooks";
import { type CallCredentials, type Metadata, propagate } from "@grpc/grpc-js";
import {
  type CallOptions,
  type DeadlineEntry,
  discard,
  GrpcStatus,
  type Handler,
  type HeaderMap,
  type Mesh,
  type MeshResponse,
  narrowed,
  type PushBody,
  type RequestBody,
  type RequestContext,
  type RpcKind,
} from "@heddle/core";
import { authorizeCall } from "./call-credentials.ts";
import { type CallStatus, statusOf, statusOfAnswer, statusOfError } from "./call-status.ts";
import type { CallListener, GrpcCall, MessageContext, ParentCall } from "./grpc-js-types.ts";
import { headersOf, metadataOf } from "./metadata.ts";
import { OutgoingMessages } from "./outgoing-messages.ts";

/** Everything a call is made of. */
export interface CallParts {
  readonly mesh: Mesh;
  /** The stack of the virtual host that claims what the client was made for. */
  readonly way: Handler;
  readonly scheme: "http" | "https";
  readonly authority: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /** null: nobody says, and it shows in what the client does first. */
  readonly kind: RpcKind | null;
  readonly options: CallOptions | undefined;
  readonly client: object | null;
  /** Milliseconds since the epoch, as clients of grpc-js give it; Infinity: none. */
  readonly deadline: number;
  readonly parent: ParentCall | null;
  readonly propagateFlags: number;
  readonly number: number;
  /** What `getPeer` says before an endpoint was picked. */
  readonly target: string;
  /** What the caller has in hand, to ask for a report of. */
  readonly surface: object | null;
  /** Of the client's channel. */
  readonly credentials: CallCredentials | null;
  readonly whenOver: (call: MeshCall) => void;
}

/** A deadline further off than a duration may be is none: over a day, no call waits. */
const LONGEST_MS = 24 * 3_600_000;

/** Why a call was stopped from here. */
class CallCancelled extends Error {
  override readonly name = "CallCancelled";
  readonly code: number;
  constructor(code: number, details: string) {
    super(details);
    this.code = code;
  }
}

/**
 * One call of a generated client, as a request of the mesh. A call whose client sends one message begins when that is known, so that it can
 * be tried again as often as the policies allow; a stream begins at once, because its client may wait for the server before it writes.
 * Messages are handed up one for each `startRead`, and the mesh holds the server back while nobody asks.
 */
export class MeshCall implements GrpcCall {
  readonly #parts: CallParts;
  readonly #outgoing = new OutgoingMessages();
  /**
   * Callbacks run with the caller's own context, whichever request made the connection that they arrive on. A snapshot of AsyncLocalStorage
   * does the same, and takes forty times as long to make.
   */
  readonly #scope = new AsyncResource("MeshCall");
  #kind: RpcKind | null;
  #credentials: CallCredentials | null;
  #listener: CallListener | null = null;
  /** What is sent first; null until the call was started and its credentials have spoken. */
  #headers: HeaderMap | null = null;
  #waitForReady = false;
  #expiry: DeadlineEntry | null = null;
  #context: RequestContext | null = null;
  #body: PushBody | null = null;
  #wantsMessage = false;
  #isOver = false;

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#kind = parts.kind;
    this.#credentials = parts.credentials;
    if (parts.parent !== null && (parts.propagateFlags & propagate.CANCELLATION) !== 0) {
      parts.parent.on("cancelled", this.#parentCancelled);
      if (parts.parent.cancelled) this.#parentCancelled();
    }
  }

  start(metadata: Metadata, listener: CallListener): void {
    this.#listener = listener;
    if (this.#isOver) return;
    const { mesh, deadline, authority, path } = this.#parts;
    this.#waitForReady = metadata.getOptions().waitForReady === true;
    // From here until the mesh has it, nothing but this bounds how long credentials and interceptors take.
    if (deadline !== Number.POSITIVE_INFINITY) {
      const restMs = Math.max(0, deadline - mesh.clock.wallTime());
      if (restMs <= LONGEST_MS) this.#expiry = mesh.deadlines.add(restMs, () => this.#finish(expired(path)));
    }
    if (this.#credentials === null) this.#ready(metadata);
    else {
      void authorizeCall(this.#credentials, metadata, authority, path).then(({ metadata: authorized, status }) => {
        if (authorized !== null) this.#ready(authorized);
        else if (status !== null) this.#finish(status);
      });
    }
  }

  sendMessageWithContext(context: MessageContext, message: Buffer): void {
    this.#outgoing.push(message, context);
  }

  halfClose(): void {
    this.#outgoing.halfClose();
    this.#launchIfReady();
  }

  startRead(): void {
    this.#wantsMessage = true;
    this.#body?.resume();
  }

  cancelWithStatus(code: number, details: string): void {
    this.#finish(statusOf(code, details));
    this.#context?.cancel.cancel(new CallCancelled(code, details));
  }

  /** The address of the endpoint that has the call, or had it last. */
  getPeer(): string {
    return this.#context?.attempts.at(-1)?.endpoint || this.#parts.target;
  }

  getCallNumber(): number {
    return this.#parts.number;
  }

  setCredentials(credentials: CallCredentials): void {
    this.#credentials = this.#parts.credentials === null ? credentials : credentials.compose(this.#parts.credentials);
  }

  /** Who the endpoint proved to be is the mesh's to check, and what a report tells; a channel over many endpoints has no one certificate. */
  getAuthContext(): null {
    return null;
  }

  /** Its client was closed: a call that has not left ends here, one that has goes on. */
  clientClosed(): void {
    const left = this.#context?.attempts.some(({ wasSent }) => wasSent) === true;
    if (!left) this.cancelWithStatus(GrpcStatus.UNAVAILABLE, "Channel closed before call started");
  }

  #ready(metadata: Metadata): void {
    this.#headers = headersOf(metadata);
    if (this.#kind !== null) {
      this.#launchIfReady();
      return;
    }
    // Whichever comes first, it comes before what the application does with the call that it is given now.
    process.nextTick(() => this.#guessKind());
    queueMicrotask(() => this.#guessKind());
  }

  /** A generated client that has one message writes it and half-closes at once; one that awaits one answer asks for it at once. */
  #guessKind(): void {
    if (this.#kind !== null) return;
    const awaitsOne = this.#wantsMessage;
    if (this.#outgoing.isHalfClosed) this.#kind = awaitsOne ? "unary" : "server-stream";
    else this.#kind = awaitsOne ? "client-stream" : "bidi-stream";
    this.#launchIfReady();
  }

  #launchIfReady(): void {
    const kind = this.#kind;
    if (this.#isOver || this.#context !== null || this.#headers === null || kind === null) return;
    if (kind === "client-stream" || kind === "bidi-stream") this.#launch(kind, this.#headers, this.#outgoing);
    else if (this.#outgoing.isHalfClosed) this.#launch(kind, this.#headers, this.#outgoing.whole());
  }

  #launch(kind: RpcKind, headers: HeaderMap, body: RequestBody): void {
    const { mesh, way, scheme, authority, path, client, surface } = this.#parts;
    this.#disarm();
    const rpc = { kind, waitForReady: this.#waitForReady, client };
    const request = mesh.startRequest({ method: "POST", scheme, authority, path, headers, body, options: this.#options(), rpc });
    this.#context = request.context;
    if (surface !== null) mesh.remember(surface, request.context);
    way(request).then(
      (response) => this.#answered(response),
      (error: unknown) => this.#finish(statusOfError(error)),
    );
  }

  /** With what is left until the caller's deadline: the smallest of all deadlines holds. */
  #options(): CallOptions | undefined {
    const { mesh, deadline, options } = this.#parts;
    if (deadline === Number.POSITIVE_INFINITY) return options;
    const restMs = Math.max(0, deadline - mesh.clock.wallTime());
    if (restMs > LONGEST_MS) return options;
    return narrowed(options, { timeout: restMs });
  }

  #answered(response: MeshResponse): void {
    const { status, headers, body } = response;
    if (this.#isOver || status !== 200) {
      discard(response, this.#parts.mesh.deadlines);
      this.#finish(statusOfAnswer(status, headers, body.trailers));
      return;
    }
    this.#body = body;
    const hasTrailersOnly = body.hasEnded && !body.isReaderBehind;
    if (!hasTrailersOnly || hasFields(headers)) this.#tell(MeshCall.#passMetadata, headers);
    if (!this.#wantsMessage) body.pause();
    body.attach({
      data: (message) => this.#tell(MeshCall.#passMessage, message),
      end: (trailers) => this.#finish(statusOfAnswer(status, headers, trailers)),
      fail: (error) => this.#finish(statusOfError(error)),
    });
  }

  static #passMetadata(call: MeshCall, headers: HeaderMap): void {
    call.#listener?.onReceiveMetadata(metadataOf(headers));
  }

  static #passMessage(call: MeshCall, message: Uint8Array): void {
    // A client that awaits one answer asks once; a second one would be asked for by nobody, and is the client's to refuse.
    if (call.#kind === "server-stream" || call.#kind === "bidi-stream") {
      call.#wantsMessage = false;
      call.#body?.pause();
    }
    call.#listener?.onReceiveMessage(
      Buffer.isBuffer(message) ? message : Buffer.from(message.buffer, message.byteOffset, message.byteLength),
    );
  }

  static #passStatus(call: MeshCall, status: CallStatus): void {
    call.#listener?.onReceiveStatus(status);
  }

  /** What a listener throws is the application's, and not for whoever brought the message. */
  #tell<T>(pass: (call: MeshCall, value: T) => void, value: T): void {
    if (this.#isOver) return;
    try {
      this.#scope.runInAsyncScope(pass, null, this, value);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }

  #finish(status: CallStatus): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { mesh, parent, whenOver } = this.#parts;
    this.#disarm();
    parent?.off("cancelled", this.#parentCancelled);
    this.#outgoing.close();
    whenOver(this);
    if (this.#context !== null) mesh.remember(status.metadata, this.#context);
    // Never before `start` or `cancel` has returned, as clients of grpc-js expect.
    process.nextTick(() => this.#scope.runInAsyncScope(MeshCall.#passStatus, null, this, status));
  }

  #disarm(): void {
    if (this.#expiry !== null) this.#parts.mesh.deadlines.remove(this.#expiry);
    this.#expiry = null;
  }

  readonly #parentCancelled = (): void => this.cancelWithStatus(GrpcStatus.CANCELLED, "Cancelled by parent call");
}

function expired(path: string): CallStatus {
  return statusOf(GrpcStatus.DEADLINE_EXCEEDED, `${path}: the deadline passed before the call was sent`);
}

function hasFields(headers: HeaderMap): boolean {
  for (const _ in headers) return true;
  return false;
}
