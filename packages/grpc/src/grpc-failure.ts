import { constants, type IncomingHttpHeaders } from "node:http2";
import { GrpcStatus, grpcStatusOfHttp, TransportFailure } from "@heddle/core";
import { http2ErrorName, isOfTheProtocol, sessionFailure } from "@heddle/http";
import type { CallStatus } from "./grpc-js-shape.ts";

/** A call that ended without a status of its server. */
export interface BrokenCall {
  /** What grpc-js makes of it. */
  readonly status: CallStatus;
  readonly hadHead: boolean;
  /** The trailers, where there were some. */
  readonly trailers: IncomingHttpHeaders | null;
  readonly httpStatus: number;
  /** What broke the connection; null: nothing that is known. */
  readonly brokenBy: Error | null;
}

/** What its connection did to a call. The status is the one that gRPC has for it. */
export function callFailure({ status, hadHead, trailers, httpStatus, brokenBy }: BrokenCall): TransportFailure {
  const options = { grpcStatus: status.code, ...(brokenBy && { cause: brokenBy }) };
  const code = status.rstCode;
  if (trailers !== null && trailers["grpc-status"] === undefined) return notGrpc(httpStatus, trailers);
  if (code === constants.NGHTTP2_REFUSED_STREAM && !hadHead)
    return new TransportFailure("refused-stream", "the server did not process the call (REFUSED_STREAM)", options);
  if (brokenBy !== null) return ofConnection(brokenBy, options);
  if (code === undefined) {
    if (status.code === GrpcStatus.UNAVAILABLE) return new TransportFailure("reset", "the server closed the connection", options);
    // On this side: a message was not what it may be.
    return new TransportFailure("protocol-error", status.details, options);
  }
  if (code === constants.NGHTTP2_NO_ERROR)
    return new TransportFailure("protocol-error", "the server ended the call without a gRPC status", options);
  const kind = isOfTheProtocol(code) ? "protocol-error" : "reset";
  return new TransportFailure(kind, `the server reset the call (${http2ErrorName(code)})`, options);
}

/** An answer whose head says that it is something else. */
export function notGrpc(httpStatus: number, headers: IncomingHttpHeaders): TransportFailure {
  const type = headers["content-type"];
  const what = `HTTP status ${httpStatus}${type === undefined ? "" : `, ${type}`}`;
  return new TransportFailure("protocol-error", `the answer is not gRPC (${what})`, { grpcStatus: grpcStatusOfHttp(httpStatus) });
}

function ofConnection(brokenBy: Error, options: { grpcStatus: number }): TransportFailure {
  const failure = sessionFailure(brokenBy);
  const { kind, message } = failure instanceof TransportFailure ? failure : { kind: "reset" as const, message: brokenBy.message };
  return new TransportFailure(kind, message, options);
}
