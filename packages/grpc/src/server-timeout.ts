import type { IncomingHttpHeaders } from "node:http2";
import { MeshError } from "@heddle/core";

const TIMEOUT = /^(\d{1,8})([HMSmun])$/;
const UNIT_MS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
/** grpc-js counts in 32 bits, and a timer above that fires at once: a deadline in a month would be one that has passed. */
const LONGEST_MS = 2_147_483_000;
/** What eight digits of milliseconds hold. */
const MOST_IN_MS = 99_999_999;

/** Milliseconds of a `grpc-timeout`; Infinity where there is none, or none that can be read. */
export function timeoutOf(headers: IncomingHttpHeaders): number {
  const value = headers["grpc-timeout"];
  const parts = typeof value === "string" ? TIMEOUT.exec(value) : null;
  return parts === null ? Number.POSITIVE_INFINITY : Number(parts[1]) * (UNIT_MS[parts[2] ?? ""] ?? 1);
}

/**
 * The headers for grpc-js, which enforces the deadline from when it gets them: less by the time that was spent before. Throws a MeshError
 * `deadline_exceeded` where none is left.
 */
export function withTimeLeft(headers: IncomingHttpHeaders, timeoutMs: number, spentMs: number): IncomingHttpHeaders {
  if (timeoutMs === Number.POSITIVE_INFINITY || (spentMs < 1 && timeoutMs <= LONGEST_MS)) return headers;
  const leftMs = Math.min(timeoutMs - spentMs, LONGEST_MS);
  if (leftMs <= 0)
    throw new MeshError(
      "deadline_exceeded",
      `serving ${headers[":path"]}: its deadline passed ${Math.round(-leftMs)} ms before it was taken up`,
    );
  const written = leftMs <= MOST_IN_MS ? `${Math.ceil(leftMs)}m` : `${Math.floor(leftMs / 1_000)}S`;
  return { ...headers, "grpc-timeout": written };
}
