import type { IncomingHttpHeaders } from "node:http2";
import { formatGrpcTimeout, GRPC_TIMEOUT_HEADER, MeshError, parseGrpcTimeout } from "@heddle/core";

/** Milliseconds of a `grpc-timeout`; Infinity where there is none, none that matters, or none that can be read. */
export function timeoutOf(headers: IncomingHttpHeaders): number {
  return read(headers) ?? Number.POSITIVE_INFINITY;
}

/**
 * The headers for grpc-js, which enforces the deadline from when it gets them: less by the time that was spent before. One in days is
 * left out: grpc-js counts in 32 bits, and would find that it has passed. Throws a MeshError `deadline_exceeded` where no time is left.
 */
export function withTimeLeft(headers: IncomingHttpHeaders, spentMs: number): IncomingHttpHeaders {
  const timeoutMs = read(headers);
  // What cannot be read grpc-js refuses.
  if (timeoutMs === undefined) return headers;
  if (timeoutMs === Number.POSITIVE_INFINITY) return { ...headers, [GRPC_TIMEOUT_HEADER]: undefined };
  if (spentMs < 1) return headers;
  if (spentMs < timeoutMs) return { ...headers, [GRPC_TIMEOUT_HEADER]: formatGrpcTimeout(timeoutMs - spentMs) };
  const lateMs = Math.round(spentMs - timeoutMs);
  throw new MeshError("deadline_exceeded", `serving ${headers[":path"]}: its deadline passed ${lateMs} ms before it was taken up`);
}

function read(headers: IncomingHttpHeaders): number | undefined {
  const value = headers[GRPC_TIMEOUT_HEADER];
  return parseGrpcTimeout(typeof value === "string" ? value : undefined);
}
