import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { ChannelOptions, Metadata } from "@grpc/grpc-js";
import { GrpcStatus } from "@heddle/core";
import { type CallListener, type CallStatus, partOf, type Shape } from "./grpc-js-shape.ts";

/** Who makes a call, and is told of it. */
export interface Caller extends Omit<CallListener, "onReceiveMetadata"> {
  /** The head as it is to be on the wire, but for what is said of how messages are encoded. */
  readonly head: OutgoingHttpHeaders;
  /** The stream that it is on; called before anything else. */
  startedOn(call: GrpcJsCall, stream: ClientHttp2Stream): void;
  onReceiveMetadata(): void;
}

const ENCODINGS = "identity,deflate,gzip";
const FRAME_HEAD_BYTES = 5;

/** One connection of grpc-js, on which calls are started. */
export class GrpcJsTransport {
  readonly #transport: Shape["transport"];
  readonly #filters: Shape["filterStackFactory"];
  readonly #request: ClientHttp2Session["request"];
  readonly #userAgent: string;
  readonly #isCompressing: boolean;
  #stream: ClientHttp2Stream | null = null;
  #calls = 0;

  constructor(transport: Shape["transport"], session: ClientHttp2Session, filters: Shape["filterStackFactory"], options: ChannelOptions) {
    partOf(transport, "transport", "createCall", "function");
    this.#transport = transport;
    this.#filters = filters;
    this.#userAgent = partOf(transport, "transport", "userAgent", "string");
    this.#isCompressing = (options["grpc.default_compression_algorithm"] ?? 0) !== 0;
    // grpc-js gives a connection up on which a stream cannot be had, be it for a header that one call has.
    this.#request = session.request.bind(session);
    session.request = (headers, rest) => this.#stream ?? this.#request(headers, rest);
  }

  /** Throws what `session.request` throws; then nothing was sent. */
  start(caller: Caller): void {
    const filters = this.#isCompressing ? this.#filters.createFilter() : null;
    const stream = this.#request(this.#headOf(caller, filters));
    const call = new GrpcJsCall(caller, filters, this.#filters);
    this.#stream = stream;
    try {
      call.inner = this.#transport.createCall(NO_METADATA, "", "", call, {}, ++this.#calls);
    } finally {
      this.#stream = null;
    }
    caller.startedOn(call, stream);
  }

  #headOf({ head }: Caller, filters: Shape["filterStack"] | null): OutgoingHttpHeaders {
    head["user-agent"] ??= this.#userAgent;
    head["content-type"] = "application/grpc";
    head.te = "trailers";
    head["grpc-accept-encoding"] = ENCODINGS;
    head["accept-encoding"] ??= "identity";
    const encoding = filters?.getFilters()[0]?.currentCompressionAlgorithm ?? "identity";
    if (encoding === "identity") delete head["grpc-encoding"];
    else head["grpc-encoding"] = encoding;
    return head;
  }
}

const NO_METADATA = { toHttp2Headers: () => ({}) };

/** One call, message by message: what is compressed goes through grpc-js's own filters, everything else past them. */
export class GrpcJsCall implements CallListener {
  inner: Shape["call"] | null = null;
  readonly #caller: Caller;
  readonly #factory: Shape["filterStackFactory"];
  /** Of a call that compresses what it sends, or whose server says that it may. */
  #filters: Shape["filterStack"] | null;
  readonly #isCompressing: boolean;
  #isUnframing = false;
  #isFraming = false;
  #isToClose = false;
  /** Came while a message was being decompressed. */
  #status: CallStatus | null = null;

  constructor(caller: Caller, filters: Shape["filterStack"] | null, factory: Shape["filterStackFactory"]) {
    this.#caller = caller;
    this.#filters = filters;
    this.#isCompressing = filters !== null;
    this.#factory = factory;
  }

  startRead(): void {
    this.inner?.startRead();
  }

  /** `written` is called when another one can be sent, or never, if the call is over. */
  send(message: Buffer, written?: () => void): void {
    const context = written ? { callback: written } : {};
    if (!this.#isCompressing) {
      this.inner?.sendMessageWithContext(context, framed(message));
      return;
    }
    this.#isFraming = true;
    this.#filters?.sendMessage(Promise.resolve({ message })).then(
      (filtered) => {
        this.#isFraming = false;
        this.inner?.sendMessageWithContext(context, filtered.message);
        if (this.#isToClose) this.inner?.halfClose();
      },
      (status: unknown) => this.#end(status),
    );
  }

  halfClose(): void {
    if (this.#isFraming) this.#isToClose = true;
    else this.inner?.halfClose();
  }

  cancel(): void {
    this.inner?.cancelWithStatus(GrpcStatus.CANCELLED, "cancelled");
  }

  // What grpc-js calls

  onReceiveMetadata(metadata: Metadata): void {
    if (this.#filters === null && metadata.get("grpc-encoding").length > 0) this.#filters = this.#factory.createFilter();
    this.#filters?.receiveMetadata(metadata);
    this.#caller.onReceiveMetadata();
  }

  onReceiveMessage(frame: Buffer): void {
    if (frame[0] === 0) {
      this.#caller.onReceiveMessage(frame.subarray(FRAME_HEAD_BYTES));
      return;
    }
    this.#isUnframing = true;
    this.#filters ??= this.#factory.createFilter();
    this.#filters.receiveMessage(Promise.resolve(frame)).then(
      (message) => {
        this.#isUnframing = false;
        this.#caller.onReceiveMessage(message);
        if (this.#status) this.#caller.onReceiveStatus(this.#status);
      },
      (status: unknown) => this.#end(status),
    );
  }

  onReceiveStatus(status: CallStatus): void {
    if (this.#isUnframing) this.#status = status;
    else this.#caller.onReceiveStatus(status);
  }

  /** A message that cannot be encoded, or decoded: filters throw statuses, and errors. */
  #end(thrown: unknown): void {
    const { code = GrpcStatus.INTERNAL, details, message } = thrown as { code?: unknown; details?: string; message?: string };
    const status = { code: Number(code) || GrpcStatus.INTERNAL, details: details ?? message ?? "a message could not be encoded" };
    this.#isUnframing = false;
    this.inner?.cancelWithStatus(status.code, status.details);
    this.#caller.onReceiveStatus(status);
  }
}

/** As grpc-js frames what it does not compress (gRPC over HTTP/2, "Length-Prefixed-Message"). */
function framed(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, FRAME_HEAD_BYTES);
  return frame;
}
