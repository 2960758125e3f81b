import type { Report } from "./report.ts";
import { GrpcStatus } from "./rpc.ts";

/** Every failure the mesh itself makes. `docs/errors.md` has a paragraph for each. */
export type MeshErrorCode =
  | "unknown_service"
  | "no_route"
  | "no_endpoint"
  | "connect_failed"
  | "connection_reset"
  | "protocol_error"
  | "attempt_timeout"
  | "deadline_exceeded"
  | "breaker_open"
  | "overloaded"
  | "body_abandoned"
  | "extension_failed"
  | "tls_required"
  | "no_identity"
  | "mtls_required"
  | "unauthenticated"
  | "permission_denied"
  | "invalid_request"
  | "invalid_config"
  | "not_ready"
  | "closed";

interface CodeFacts {
  /** What a proxy in our place would have answered (Envoy's local replies). */
  readonly status: number;
  /** What a gRPC call ends with. */
  readonly grpc: keyof typeof GrpcStatus;
  /** A later try may succeed. Says nothing about whether repeating is safe. */
  readonly retryable: boolean;
}

const FACTS: Readonly<Record<MeshErrorCode, CodeFacts>> = {
  unknown_service: { status: 502, grpc: "UNAVAILABLE", retryable: false },
  no_route: { status: 404, grpc: "UNIMPLEMENTED", retryable: false },
  no_endpoint: { status: 503, grpc: "UNAVAILABLE", retryable: true },
  connect_failed: { status: 503, grpc: "UNAVAILABLE", retryable: true },
  connection_reset: { status: 503, grpc: "UNAVAILABLE", retryable: true },
  protocol_error: { status: 502, grpc: "INTERNAL", retryable: false },
  attempt_timeout: { status: 504, grpc: "DEADLINE_EXCEEDED", retryable: true },
  deadline_exceeded: { status: 504, grpc: "DEADLINE_EXCEEDED", retryable: false },
  breaker_open: { status: 503, grpc: "UNAVAILABLE", retryable: true },
  overloaded: { status: 503, grpc: "RESOURCE_EXHAUSTED", retryable: true },
  body_abandoned: { status: 503, grpc: "CANCELLED", retryable: false },
  extension_failed: { status: 500, grpc: "INTERNAL", retryable: false },
  tls_required: { status: 502, grpc: "FAILED_PRECONDITION", retryable: false },
  no_identity: { status: 503, grpc: "UNAVAILABLE", retryable: false },
  mtls_required: { status: 403, grpc: "UNAUTHENTICATED", retryable: false },
  unauthenticated: { status: 401, grpc: "UNAUTHENTICATED", retryable: false },
  permission_denied: { status: 403, grpc: "PERMISSION_DENIED", retryable: false },
  invalid_request: { status: 400, grpc: "INVALID_ARGUMENT", retryable: false },
  invalid_config: { status: 500, grpc: "INTERNAL", retryable: false },
  not_ready: { status: 503, grpc: "UNAVAILABLE", retryable: true },
  closed: { status: 503, grpc: "UNAVAILABLE", retryable: false },
};

const BRAND = Symbol.for("heddle.MeshError");

/**
 * A failure made by the mesh. `code` is for programs, `message` for people.
 * `instanceof` fails across two copies of the package; use {@link meshError}.
 */
export class MeshError extends Error {
  override readonly name = "MeshError";
  readonly code: MeshErrorCode;
  readonly status: number;
  /** What a gRPC call ends with. */
  readonly grpcStatus: number;
  readonly retryable: boolean;
  /** What happened to the request; absent where there was none (configuration, readiness). */
  report?: Report;

  constructor(code: MeshErrorCode, message: string, options?: ErrorOptions & { readonly grpcStatus?: number | null }) {
    super(message, options);
    this.code = code;
    this.status = FACTS[code].status;
    this.grpcStatus = options?.grpcStatus ?? GrpcStatus[FACTS[code].grpc];
    this.retryable = FACTS[code].retryable;
    Object.defineProperty(this, BRAND, { value: true });
  }
}

/** The MeshError in any error, through its causes, across copies of the package; undefined if there is none. */
export function meshError(error: unknown): MeshError | undefined {
  let current = error;
  for (let depth = 0; depth < 16 && typeof current === "object" && current !== null; depth++) {
    if (BRAND in current) return current as object as MeshError;
    current = (current as { cause?: unknown }).cause;
  }
  return undefined;
}

export const MESH_ERROR_CODES: readonly MeshErrorCode[] = Object.keys(FACTS) as MeshErrorCode[];
