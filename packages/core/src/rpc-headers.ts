import { type HeaderMap, headerValue } from "./message.ts";

// What gRPC says in headers and trailers beside the status (gRPC over HTTP/2; gRFC A6, "Retry Design").

export const GRPC_TIMEOUT_HEADER = "grpc-timeout";
/** How many tries came before this one; transparent ones are not counted. */
export const PREVIOUS_ATTEMPTS_HEADER = "grpc-previous-rpc-attempts";
const PUSHBACK = "grpc-retry-pushback-ms";

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };
/** The format has room for eight digits. */
const MAX_AMOUNT = 99_999_999;
/** 27 hours, as of HTTP's header: longer is no deadline, and would overflow a timer. */
const MAX_TIMEOUT_MS = MAX_AMOUNT;

/** Milliseconds; undefined for what is no `grpc-timeout`, Infinity for one that is too long to matter. */
export function parseGrpcTimeout(value: string | undefined): number | undefined {
  const parts = value === undefined ? null : TIMEOUT.exec(value);
  if (parts === null) return undefined;
  const ms = Number(parts[1]) * (UNIT_MS[parts[2] as string] as number);
  return ms > MAX_TIMEOUT_MS ? Number.POSITIVE_INFINITY : ms;
}

/** At least a millisecond, rounded down: the receiver had better give up a little too early. */
export function formatGrpcTimeout(ms: number): string {
  const whole = Math.max(1, Math.floor(ms));
  return whole <= MAX_AMOUNT ? `${whole}m` : `${Math.min(MAX_AMOUNT, Math.floor(whole / 1_000))}S`;
}

/** Milliseconds that a server asks to wait before another try; Infinity: not to try again (negative, or no integer); null: it does not ask. */
export function grpcPushbackMs(trailers: HeaderMap | null): number | null {
  const value = trailers === null ? undefined : headerValue(trailers, PUSHBACK);
  if (value === undefined) return null;
  return /^\d{1,9}$/.test(value) ? Number(value) : Number.POSITIVE_INFINITY;
}
