import type { Random } from "../random.ts";

/**
 * Full-jitter exponential backoff: uniform between 0 and min(max, base * 2^(retry - 1)), so that callers that failed together
 * do not come back together. `retry` is 1 for the first.
 */
export function backoffMs(retry: number, baseMs: number, maxMs: number, random: Random): number {
  return random() * Math.min(maxMs, baseMs * 2 ** (retry - 1));
}
