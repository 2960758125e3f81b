import { describeValue } from "./describe-value.ts";

/** Milliseconds, or a string such as `250ms`, `2s`, `1m30s`, `1h`. */
export type Duration = number | string;

const PART = /(\d+(?:\.\d+)?)(ms|s|m|h)/y;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const LONGEST_MS = 24 * 3_600_000;

/** Milliseconds of a duration between 0 and 24 h; undefined if it is not one. Units must fall from left to right. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === "number") return value >= 0 && value <= LONGEST_MS ? value : undefined;
  if (typeof value !== "string" || value.length > 32) return undefined;
  let total = 0;
  let previousUnit = Number.POSITIVE_INFINITY;
  PART.lastIndex = 0;
  do {
    const part = PART.exec(value);
    if (!part) return undefined;
    const unit = UNIT_MS[part[2] as string] as number;
    if (unit >= previousUnit) return undefined;
    previousUnit = unit;
    total += partMs(part[1] as string, unit);
  } while (PART.lastIndex < value.length);
  return total <= LONGEST_MS ? total : undefined;
}

/** Rounded once, at the end: 1.001 * 1_000 would be 1000.9999999999999. */
function partMs(number: string, unit: number): number {
  const [whole = "", fraction = ""] = number.split(".");
  return (Number(whole + fraction) * unit) / 10 ** fraction.length;
}

/** For options given in code: the caller's mistake throws at once. */
export function durationMs(value: Duration, option: string): number {
  const ms = parseDuration(value);
  if (ms === undefined)
    throw new TypeError(
      `${option}: ${describeValue(value)} must be milliseconds or a duration such as "250ms", "2s", "1m30s", at most 24h`,
    );
  return ms;
}

/** The shortest exact form, for messages. */
export function formatDuration(ms: number): string {
  if (ms >= 1_000 && ms % 1_000 === 0)
    return ms % 60_000 === 0 ? (ms % 3_600_000 === 0 ? `${ms / 3_600_000}h` : `${ms / 60_000}m`) : `${ms / 1_000}s`;
  return `${Math.round(ms * 1000) / 1000}ms`;
}
