import type { Attributes } from "@opentelemetry/api";
import { MeshError } from "../errors.ts";
import { headerValue, type MeshRequest, type MeshResponse } from "../message.ts";
import { GrpcStatus, grpcStatusName } from "../rpc.ts";
import { endedWith } from "../rpc-answer.ts";
import { PREVIOUS_ATTEMPTS_HEADER } from "../rpc-headers.ts";

// gRPC calls in spans: the names of the RPC conventions that instrumentations of gRPC use, and those of gRFC A72.

/** What a server has no method for: callers could make names without end. */
const OTHER = "_OTHER";

/** Of these a server is to blame (RPC semantic conventions, "gRPC"). */
const SERVER_ERRORS: readonly number[] = [
  GrpcStatus.UNKNOWN,
  GrpcStatus.DEADLINE_EXCEEDED,
  GrpcStatus.UNIMPLEMENTED,
  GrpcStatus.INTERNAL,
  GrpcStatus.UNAVAILABLE,
  GrpcStatus.DATA_LOSS,
];

/** `package.Service/Method`. Of a call that came in only if this server has it, which its listener says by naming the route. */
export function callName({ path, context }: MeshRequest): string {
  const isKnown = context.inbound === null || context.route !== "";
  return isKnown ? path.slice(1) : OTHER;
}

export function callAttributes(request: MeshRequest): Attributes {
  const name = callName(request);
  const slash = name.lastIndexOf("/");
  const attributes: Attributes = { "rpc.system": "grpc", "rpc.method": name.slice(slash + 1) };
  if (slash >= 0) attributes["rpc.service"] = name.slice(0, slash);
  const previous = request.attempt === null ? undefined : headerValue(request.headers, PREVIOUS_ATTEMPTS_HEADER);
  if (previous !== undefined) attributes["previous-rpc-attempts"] = Number(previous);
  return attributes;
}

/** What a call ended with, answered or failed by the mesh; null: something else broke it, or its caller left. */
export function callStatus(response: MeshResponse | null, failure: unknown): number | null {
  if (failure instanceof MeshError) return failure.grpcStatus;
  return failure === null && response !== null ? endedWith(response) : null;
}

export function isCallError(status: number, isServer: boolean): boolean {
  return isServer ? SERVER_ERRORS.includes(status) : status !== GrpcStatus.OK;
}

/** As the specification of gRPC writes it: `DEADLINE_EXCEEDED`. */
export function callStatusWord(status: number): string {
  return grpcStatusName(status).toUpperCase().replaceAll("-", "_");
}
