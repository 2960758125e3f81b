/**
 * gRPC on the mesh's one message. A call is a request like any other: POST, the path `/package.Service/Method`, metadata as headers (names
 * in lower case; values of `-bin` keys in base64, as on the wire), and a body whose every chunk is one message, without the frame around it
 * and not compressed. A chunk without bytes is a message. A body of bytes is one message, of null none. The answer is the same: status 200,
 * and the status of the call as `grpc-status` among the trailers. An answer of trailers only has ended by the time it is there.
 */

/** How many messages go either way. */
export type RpcKind = "unary" | "client-stream" | "server-stream" | "bidi-stream";

/** What a gRPC call has beside what every request has. Made by the front door, or by the listener that it came in by. */
export interface RpcCall {
  readonly kind: RpcKind;
  /** Waits for a connection for as long as it may, instead of failing while there is none. Outbound only. */
  readonly waitForReady: boolean;
  /** For the transport alone: whatever the client was made with that makes a connection, or what is sent on it, another one. */
  readonly client: object | null;
}

export { GRPC_STATUS_NAMES, type GrpcOutcome, type GrpcStatusName, grpcOutcome, grpcStatusName } from "./model/grpc-status.ts";

/** Codes by the names of the specification, for code. */
export const GrpcStatus = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** What a client makes of an HTTP status where there is no `grpc-status` (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md). */
export function grpcStatusOfHttp(status: number): number {
  switch (status) {
    case 400:
      return GrpcStatus.INTERNAL;
    case 401:
      return GrpcStatus.UNAUTHENTICATED;
    case 403:
      return GrpcStatus.PERMISSION_DENIED;
    case 404:
      return GrpcStatus.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcStatus.UNAVAILABLE;
    default:
      return GrpcStatus.UNKNOWN;
  }
}

/** The number in a `grpc-status` trailer; UNKNOWN for whatever is none (gRPC over HTTP/2, "Responses"). */
export function readGrpcStatus(value: string | undefined): number {
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : GrpcStatus.UNKNOWN;
}
