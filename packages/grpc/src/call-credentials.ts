import type { CallCredentials, Metadata } from "@grpc/grpc-js";
import { GrpcStatus } from "@heddle/core";
import { type CallStatus, statusOf } from "./call-status.ts";

/** What no plugin may end a call with (gRFC A54): only a server can know these. */
const ONLY_SERVERS: ReadonlySet<number> = new Set([
  GrpcStatus.OK,
  GrpcStatus.INVALID_ARGUMENT,
  GrpcStatus.NOT_FOUND,
  GrpcStatus.ALREADY_EXISTS,
  GrpcStatus.FAILED_PRECONDITION,
  GrpcStatus.ABORTED,
  GrpcStatus.OUT_OF_RANGE,
  GrpcStatus.DATA_LOSS,
]);

export interface Authorized {
  /** The call's metadata with that of its credentials; null where there is a status instead. */
  readonly metadata: Metadata | null;
  readonly status: CallStatus | null;
}

/**
 * Asks credentials for their metadata, once for each call however often it is tried, with what grpc-js gives them: the URL of the service
 * and the path of the method.
 */
export async function authorizeCall(
  credentials: CallCredentials,
  metadata: Metadata,
  authority: string,
  path: string,
): Promise<Authorized> {
  const merged = metadata.clone();
  try {
    merged.merge(await credentials.generateMetadata({ method_name: path, service_url: serviceUrl(authority, path) }));
  } catch (error) {
    return { metadata: null, status: failed(error) };
  }
  if (merged.get("authorization").length > 1) {
    return { metadata: null, status: statusOf(GrpcStatus.INTERNAL, '"authorization" metadata cannot have multiple values') };
  }
  return { metadata: merged, status: null };
}

function serviceUrl(authority: string, path: string): string {
  const host = authority.replace(/:\d+$/, "");
  return `https://${host}/${path.slice(1, path.lastIndexOf("/"))}`;
}

function failed(error: unknown): CallStatus {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const details = `Getting metadata from plugin failed with error: ${message}`;
  const status = typeof code === "number" ? code : GrpcStatus.UNKNOWN;
  if (!ONLY_SERVERS.has(status)) return statusOf(status, details, error);
  return statusOf(GrpcStatus.INTERNAL, `Invalid status from control plane: ${status} ${details}`, error);
}
