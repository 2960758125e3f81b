/** The names that configurations use, by number (https://grpc.io/docs/guides/status-codes). */
export const GRPC_STATUS_NAMES = [
  "ok",
  "cancelled",
  "unknown",
  "invalid-argument",
  "deadline-exceeded",
  "not-found",
  "already-exists",
  "permission-denied",
  "resource-exhausted",
  "failed-precondition",
  "aborted",
  "out-of-range",
  "unimplemented",
  "internal",
  "unavailable",
  "data-loss",
  "unauthenticated",
] as const;

export type GrpcStatusName = (typeof GRPC_STATUS_NAMES)[number];

/** The name of a code; one that has none is UNKNOWN. */
export function grpcStatusName(code: number): GrpcStatusName {
  return GRPC_STATUS_NAMES[code] ?? "unknown";
}

/** How a call ended, in the one vocabulary of conditions, counters, logs and reports. */
export type GrpcOutcome = `grpc:${GrpcStatusName}`;

/** Made once: every call has one. */
const OUTCOMES: readonly GrpcOutcome[] = GRPC_STATUS_NAMES.map((name) => `grpc:${name}` as const);

export function grpcOutcome(code: number): GrpcOutcome {
  return OUTCOMES[code] ?? "grpc:unknown";
}

export function isGrpcOutcome(word: string | number): word is GrpcOutcome {
  return typeof word === "string" && word.startsWith("grpc:");
}
