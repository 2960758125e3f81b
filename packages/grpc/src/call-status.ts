import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { GrpcStatus, grpcStatusOfHttp, type HeaderMap, headerValue, meshError, readGrpcStatus, TransportFailure } from "@heddle/core";
import { decodeGrpcMessage } from "./grpc-message.ts";
import { trailingMetadataOf } from "./metadata.ts";

/** How a call ended. grpc-js copies what stands here into the error it gives the caller, so that `meshError(error)` finds the cause. */
export interface CallStatus extends StatusObject {
  readonly cause?: unknown;
}

export function statusOf(code: number, details: string, cause?: unknown): CallStatus {
  return { code, details, metadata: new Metadata(), ...(cause !== undefined && { cause }) };
}

/** Of a call that has no answer, or whose answer broke. */
export function statusOfError(error: unknown): CallStatus {
  const failure = meshError(error);
  if (failure) return statusOf(failure.grpcStatus, failure.message, failure);
  const details = error instanceof Error ? error.message : String(error);
  if (error instanceof TransportFailure) return statusOf(error.grpcStatus ?? GrpcStatus.UNAVAILABLE, details, error);
  return statusOf(GrpcStatus.UNKNOWN, details, error);
}

/** Of an answer that is complete. What is not gRPC has a status all the same. */
export function statusOfAnswer(httpStatus: number, headers: HeaderMap, trailers: HeaderMap | null): CallStatus {
  // An answer that a proxy, or a route of the mesh, made of a head alone may say it there.
  const fields = trailers?.["grpc-status"] === undefined && headers["grpc-status"] !== undefined ? headers : trailers;
  const code = fields ? headerValue(fields, "grpc-status") : undefined;
  if (fields === null || code === undefined) return statusWithout(httpStatus, trailers);
  const message = headerValue(fields, "grpc-message");
  return {
    code: readGrpcStatus(code),
    details: message === undefined ? "" : decodeGrpcMessage(message),
    metadata: trailingMetadataOf(fields),
  };
}

function statusWithout(httpStatus: number, trailers: HeaderMap | null): CallStatus {
  const details =
    httpStatus === 200 ? "the answer ended without grpc-status" : `the answer is not gRPC: HTTP status ${httpStatus}, no grpc-status`;
  return { code: grpcStatusOfHttp(httpStatus), details, metadata: trailingMetadataOf(trailers ?? {}) };
}
