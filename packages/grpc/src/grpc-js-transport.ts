import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import type { ChannelOptions } from "@grpc/grpc-js";
import { GrpcStatus } from "@heddle/core";
import { type CallListener, type CallStatus, partOf, type Shape } from "./grpc-js-shape.ts";
import { ACCEPTED_ENCODINGS, compress, decompress, type Encoding, encodingOf, UnreadableMessage } from "./message-encoding.ts";

/** Who makes a call, and is told of it. */
export interface Caller extends CallListener {
  /** The head as it is to be on the wire, but for what is said of how messages are encoded. */
  readonly head: OutgoingHttpHeaders;
  /** The head of the answer, once it is there. */
  readonly answerHead: IncomingHttpHeaders | null;
  /** The stream that it is on; called before anything else. */
  startedOn(call: GrpcJsCall, stream: ClientHttp2Stream): void;
}

const FRAME_HEAD_BYTES = 5;
/** Of grpc-js, where its client does not say. */
const MOST_RECEIVED_BYTES = 4 * 1024 * 1024;
const NO_METADATA = { toHttp2Headers: () => ({}) };

/** One connection of grpc-js, on which calls are started. */
export class GrpcJsTransport {
  /** What messages are compressed with; not any more once the server has said that it cannot read that. */
  encoding: Encoding;
  readonly mostBytes: number;
  readonly #transport: Shape["transport"];
  readonly #request: ClientHttp2Session["request"];
  readonly #userAgent: string;
  #stream: ClientHttp2Stream | null = null;
  #calls = 0;

  constructor(transport: Shape["transport"], session: ClientHttp2Session, options: ChannelOptions) {
    partOf(transport, "transport", "createCall", "function");
    this.#transport = transport;
    this.#userAgent = partOf(transport, "transport", "userAgent", "string");
    this.encoding = encodingOf(options["grpc.default_compression_algorithm"]);
    this.mostBytes = options["grpc.max_receive_message_length"] ?? MOST_RECEIVED_BYTES;
    // grpc-js gives a connection up on which a stream cannot be had, be it for a header that one call has.
    this.#request = session.request.bind(session);
    session.request = (headers, rest) => this.#stream ?? this.#request(headers, rest);
  }

  /** Throws what `session.request` throws; then nothing was sent. */
  start(caller: Caller): void {
    const { encoding } = this;
    const stream = this.#request(this.#headOf(caller, encoding));
    const call = new GrpcJsCall(caller, this, encoding);
    this.#stream = stream;
    try {
      call.inner = this.#transport.createCall(NO_METADATA, "", "", call, {}, ++this.#calls);
    } finally {
      this.#stream = null;
    }
    caller.startedOn(call, stream);
  }

  #headOf({ head }: Caller, encoding: Encoding): OutgoingHttpHeaders {
    head["user-agent"] ??= this.#userAgent;
    head["content-type"] = "application/grpc";
    head.te = "trailers";
    head["grpc-accept-encoding"] = ACCEPTED_ENCODINGS;
    head["accept-encoding"] ??= "identity";
    if (encoding === null) delete head["grpc-encoding"];
    else head["grpc-encoding"] = encoding;
    return head;
  }
}

/** One call, message by message: grpc-js moves frames, and what is in them is ours. */
export class GrpcJsCall implements CallListener {
  inner: Shape["call"] | null = null;
  readonly #caller: Caller;
  readonly #transport: GrpcJsTransport;
  readonly #encoding: Encoding;
  #isReading = false;
  #isWriting = false;
  #isToClose = false;
  /** Came while a message was being decompressed. */
  #status: CallStatus | null = null;

  constructor(caller: Caller, transport: GrpcJsTransport, encoding: Encoding) {
    this.#caller = caller;
    this.#transport = transport;
    this.#encoding = encoding;
  }

  startRead(): void {
    this.inner?.startRead();
  }

  /** `written` is called when another one can be sent, or never, if the call is over. */
  send(message: Buffer, written?: () => void): void {
    const context = written ? { callback: written } : {};
    if (this.#encoding === null) {
      this.inner?.sendMessageWithContext(context, framed(message, 0));
      return;
    }
    this.#isWriting = true;
    compress(message, this.#encoding).then(
      (compressed) => {
        this.#isWriting = false;
        this.inner?.sendMessageWithContext(context, framed(compressed, 1));
        if (this.#isToClose) this.inner?.halfClose();
      },
      (error: Error) => this.#end(error),
    );
  }

  halfClose(): void {
    if (this.#isWriting) this.#isToClose = true;
    else this.inner?.halfClose();
  }

  cancel(): void {
    this.inner?.cancelWithStatus(GrpcStatus.CANCELLED, "cancelled");
  }

  // What grpc-js calls

  onReceiveMetadata(): void {
    const { encoding } = this.#transport;
    const readable = encoding === null ? undefined : this.#caller.answerHead?.["grpc-accept-encoding"];
    if (
      readable !== undefined &&
      !String(readable)
        .split(/\s*,\s*/)
        .includes(String(encoding))
    )
      this.#transport.encoding = null;
    this.#caller.onReceiveMetadata();
  }

  onReceiveMessage(frame: Buffer): void {
    const message = frame.subarray(FRAME_HEAD_BYTES);
    if (frame[0] === 0) {
      this.#caller.onReceiveMessage(message);
      return;
    }
    this.#isReading = true;
    const encoding = String(this.#caller.answerHead?.["grpc-encoding"] ?? "identity");
    decompress(message, encoding, this.#transport.mostBytes).then(
      (read) => {
        this.#isReading = false;
        this.#caller.onReceiveMessage(read);
        if (this.#status) this.#caller.onReceiveStatus(this.#status);
      },
      (error: Error) => this.#end(error),
    );
  }

  onReceiveStatus(status: CallStatus): void {
    if (this.#isReading) this.#status = status;
    else this.#caller.onReceiveStatus(status);
  }

  #end(error: Error): void {
    const status = { code: error instanceof UnreadableMessage ? error.code : GrpcStatus.INTERNAL, details: error.message };
    this.#isReading = false;
    this.inner?.cancelWithStatus(status.code, status.details);
    this.#caller.onReceiveStatus(status);
  }
}

/** gRPC over HTTP/2, "Length-Prefixed-Message". */
function framed(message: Buffer, flag: 0 | 1): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + message.length);
  frame[0] = flag;
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, FRAME_HEAD_BYTES);
  return frame;
}
