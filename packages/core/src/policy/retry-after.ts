import { type HeaderMap, headerValue } from "../message.ts";

const SECONDS = /^\d{1,9}$/;
/** The three forms of an HTTP-date (RFC 9110 5.6.7). Date.parse alone takes far more, `1 GMT` among it. */
const DATE =
  /^(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT|[A-Z][a-z]{5,8}, \d\d-[A-Z][a-z]{2}-\d\d [\d:]{8} GMT|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4})$/;

/** Milliseconds an answer asks to wait (RFC 9110 10.2.3: delay-seconds or HTTP-date); a date that has passed is 0; null: it does not ask. */
export function retryAfterMs(headers: HeaderMap, wallTime: number): number | null {
  const value = headerValue(headers, "retry-after")?.trim();
  if (value === undefined || value.length > 64) return null;
  if (SECONDS.test(value)) return Number(value) * 1_000;
  const at = DATE.test(value) ? Date.parse(value.endsWith("GMT") ? value : `${value} GMT`) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - wallTime);
}
