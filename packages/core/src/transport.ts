import type { Agent } from "node:http";
import type { ClientTls } from "./client-tls.ts";
import type { Handler } from "./layer.ts";

/** How an exchange with one endpoint broke. */
export type TransportFailureKind =
  /** No connection could be made. */
  | "connect-failure"
  /** The peer said that it did not process the request (HTTP/2 REFUSED_STREAM, GOAWAY). */
  | "refused-stream"
  /** The connection broke after at least part of the request was written. */
  | "reset"
  /** The peer answered something that is not the protocol. */
  | "protocol-error";

/** What a {@link Channel} rejects with before the head and fails a body with after it. Cancellation rejects with the cancel's reason instead. */
export class TransportFailure extends Error {
  override readonly name = "TransportFailure";
  readonly kind: TransportFailureKind;
  /** Of a gRPC call: the status that gRPC has for what broke it; null: there is none beside that of the kind. */
  readonly grpcStatus: number | null;
  constructor(kind: TransportFailureKind, message: string, options?: ErrorOptions & { readonly grpcStatus?: number }) {
    super(message, options);
    this.kind = kind;
    this.grpcStatus = options?.grpcStatus ?? null;
  }
}

/** Everything that makes two channels different: the same settings share one channel. */
export interface ChannelSettings {
  /** `host:port`, `[v6]:port` or `unix:/path`. */
  readonly address: string;
  readonly protocol: "http1" | "http2" | "grpc";
  /** null: plaintext. Settings of equal `key` are the same. */
  readonly tls: ClientTls | null;
  /** Most connections to this endpoint; more requests wait. Over HTTP/2 one takes all requests, and what waits is what its server allows no stream for. */
  readonly maxConnections: number;
  /** Most milliseconds until a connection is established. Read for each connection: it may change while the channel is open. */
  readonly connectTimeoutMs: number;
}

/** How a channel stands, in the words of gRPC (https://github.com/grpc/grpc/blob/master/doc/connectivity-semantics-and-api.md). */
export type Connectivity = "idle" | "connecting" | "ready" | "transient-failure";

/**
 * The transport's handle to one endpoint under one TLS setting. It may hold many connections; core never pools sockets.
 *
 * `send` promises:
 * - it resolves at the response head; the body follows as a {@link PushBody}, with backpressure in both directions. A gRPC call with one
 *   request and one answer may resolve as late as its status is there, before which its caller sees nothing;
 * - it rejects with a {@link TransportFailure} before the head, or with `request.cancel.reason` as soon as that is cancelled, whether
 *   the request is queued, connecting, being sent, or waiting; after the head cancellation fails the body with that reason;
 * - it sets `request.attempt.wasSent` before the first byte is written, `connection` to the number of the connection, above that of every
 *   connection made before, and `reusedConnection` if it had carried a complete exchange;
 * - over `grpc` it takes requests that are gRPC calls (rpc.ts), and refuses every other;
 * - it sends `request.authority` as the authority, and never changes a header the request has;
 * - for an upgrade or CONNECT ({@link isUpgrade}) it resolves with `socket` once the endpoint has switched, and with an ordinary answer
 *   where it has not; it rejects where the protocol carries neither. The pipe counts as a connection until it closes: `close` waits for it, `destroy` and cancellation cut it.
 */
export interface Channel {
  readonly send: Handler;
  /**
   * An agent whose connections all go to this endpoint, for a request to `authority` that node:http's own client writes. They count as
   * connections, `close` waits for what is in flight on them. Absent: this transport does not serve node:http.
   */
  readonly agent?: (authority: string) => Agent;
  /** Connections open now, for `inspect()`. */
  connections(): number;
  /** For `inspect()`, of a channel that keeps a connection. Absent: it has as many as it needs. */
  readonly connectivity?: () => Connectivity;
  /** Takes no new requests, lets those in flight finish, then frees everything. Idempotent. */
  close(): Promise<void>;
  /** Cuts what is in flight. */
  destroy(reason: Error): void;
}

/** Opens channels. Opening does no I/O; the first `send` connects. */
export interface Transport {
  open(settings: ChannelSettings): Channel;
}
