import { type HeaderMap, headerValue } from "../message.ts";

const SECONDS = /^\d{1,9}$/;

/** Milliseconds an answer asks to wait (RFC 9110 10.2.3: delay-seconds or HTTP-date); a date that has passed is 0; null: it does not ask. */
export function retryAfterMs(headers: HeaderMap, wallTime: number): number | null {
  const value = headerValue(headers, "retry-after")?.trim();
  if (value === undefined || value.length > 64) return null;
  if (SECONDS.test(value)) return Number(value) * 1_000;
  // Date.parse takes far more than HTTP-dates; all of those end in GMT.
  const at = value.endsWith("GMT") ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - wallTime);
}
