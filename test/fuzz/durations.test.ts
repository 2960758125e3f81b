import { formatDuration, parseDuration } from "@heddle/core";
import fc from "fast-check";
import { expect } from "vitest";
import { fuzz } from "./fuzz.ts";
import { hostileText, oddValues, piecesOf } from "./hostile.ts";

const DAY_MS = 86_400_000;
const UNITS = ["h", "m", "s", "ms"] as const;
const MICROS: Readonly<Record<string, bigint>> = { ms: 1n, s: 1_000n, m: 60_000n, h: 3_600_000n };

interface Exact {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Written from the sentence in the reference, without a regular expression: parts of falling unit, in exact arithmetic. */
function model(text: string): Exact | undefined {
  if (text === "" || text.length > 32) return undefined;
  let rest = text;
  let numerator = 0n;
  let denominator = 1n;
  for (const unit of UNITS) {
    const digits = leading(rest, (character) => character >= "0" && character <= "9");
    if (digits === "") break;
    const fraction = rest[digits.length] === "." ? leading(rest.slice(digits.length + 1), (c) => c >= "0" && c <= "9") : undefined;
    if (fraction === "") return undefined;
    const number = fraction === undefined ? digits : `${digits}.${fraction}`;
    const written = leading(rest.slice(number.length), (character) => character >= "a" && character <= "z");
    const found = written.startsWith("ms") ? "ms" : (written[0] ?? "");
    if (found !== unit) continue;
    const scale = 10n ** BigInt(fraction?.length ?? 0);
    numerator = numerator * scale + BigInt(digits + (fraction ?? "")) * (MICROS[unit] ?? 0n) * denominator;
    denominator *= scale;
    rest = rest.slice(number.length + unit.length);
    if (rest === "") break;
  }
  // Beyond a day by less than a number can hold is a day.
  if (rest !== "" || numerator * 10n ** 7n > (BigInt(DAY_MS) * 10n ** 7n + 1n) * denominator) return undefined;
  return { numerator, denominator };
}

function leading(text: string, isIn: (character: string) => boolean): string {
  let end = 0;
  while (end < text.length && isIn(text.charAt(end))) end++;
  return text.slice(0, end);
}

/** The nearest number, where so few digits were written that there can be no doubt. */
function isExactly(found: number, { numerator, denominator }: Exact): boolean {
  const expected = Number((numerator * 10n ** 9n) / denominator) / 1e9;
  return Math.abs(found - expected) <= Math.max(1e-9, expected * 1e-15);
}

function checkText(text: string): void {
  const expected = model(text);
  const found = parseDuration(text);
  expect(found === undefined, `${JSON.stringify(text)} is ${expected === undefined ? "no" : "a"} duration`).toBe(expected === undefined);
  if (found !== undefined && expected !== undefined) expect(isExactly(found, expected), `${text} is ${found} ms`).toBe(true);
}

const part = fc
  .tuple(fc.nat(2_000), fc.option(fc.stringMatching(/^\d{1,3}$/), { nil: undefined }), fc.constantFrom(...UNITS))
  .map(([whole, fraction, unit]) => `${whole}${fraction === undefined ? "" : `.${fraction}`}${unit}`);

fuzz(
  "takes a text for a duration exactly if it is one, at its exact value",
  fc.oneof(
    fc.array(part, { maxLength: 4 }).map((parts) => parts.join("")),
    piecesOf(["1", "0", "24", "86400000", ".", "5", "ms", "s", "m", "h", "-", "+", " ", "e3", "d", "S", "\u0661"], 6),
    hostileText(3),
  ),
  checkText,
);

fuzz(
  "reads a written duration of few digits without a rounding error",
  fc.tuple(fc.nat(86_399), fc.stringMatching(/^\d{3}$/)),
  ([seconds, millis]) => {
    expect(parseDuration(`${seconds}.${millis}s`)).toBe(seconds * 1_000 + Number(millis));
  },
);

fuzz(
  "reads back what it has written",
  fc.oneof(
    fc.integer({ min: 0, max: DAY_MS }),
    fc.integer({ min: 0, max: 86_400 }).map((s) => s * 1_000),
  ),
  (ms) => {
    expect(parseDuration(formatDuration(ms))).toBe(ms);
  },
);

fuzz(
  "takes a number from 0 to a day as milliseconds, and nothing else that is no text",
  fc.oneof(fc.double(), fc.integer(), oddValues),
  (value) => {
    if (typeof value === "string") return;
    const isOne = typeof value === "number" && value >= 0 && value <= DAY_MS;
    expect(parseDuration(value)).toBe(isOne ? value : undefined);
  },
);
