import fc from "fast-check";
import { expect } from "vitest";
import { retryAfterMs } from "../../packages/core/src/policy/retry-after.ts";
import { fuzz } from "./fuzz.ts";
import { edited, edits, hostileText } from "./hostile.ts";

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const LONG_DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** 2026-06-15. */
const NOW = Date.UTC(2026, 5, 15, 12, 0, 0);

const two = (value: number): string => String(value).padStart(2, "0");

type Form = "imf" | "rfc850" | "asctime";

function written(at: number, form: Form): string {
  const date = new Date(at);
  const day = date.getUTCDate();
  const month = MONTHS[date.getUTCMonth()];
  const year = date.getUTCFullYear();
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  switch (form) {
    case "imf":
      return `${DAYS[date.getUTCDay()]}, ${two(day)} ${month} ${year} ${time} GMT`;
    case "rfc850":
      return `${LONG_DAYS[date.getUTCDay()]}, ${two(day)}-${month}-${two(year % 100)} ${time} GMT`;
    case "asctime":
      return `${DAYS[date.getUTCDay()]} ${month} ${String(day).padStart(2, " ")} ${time} ${year}`;
    default:
      return form satisfies never;
  }
}

const second = fc.integer({ min: Date.UTC(1977, 0, 1) / 1_000, max: Date.UTC(2076, 0, 1) / 1_000 }).map((seconds) => seconds * 1_000);

fuzz(
  "understands an HTTP date in each of its three forms",
  fc.tuple(second, fc.constantFrom<Form>("imf", "rfc850", "asctime")),
  ([at, form]) => {
    // RFC 9110 5.6.7: two digits that would be more than 50 years ahead mean the past; every date here is nearer.
    expect(retryAfterMs({ "retry-after": written(at, form) }, NOW), written(at, form)).toBe(Math.max(0, at - NOW));
  },
);

fuzz(
  "takes whole seconds, and no other number",
  fc.oneof(
    fc.nat(2_000_000_000).map(String),
    fc.double().map(String),
    fc.integer().map(String),
    fc.stringMatching(/^ ?[-+]?\d{0,12}\.?\d? ?$/),
  ),
  (value) => {
    const text = value.trim();
    const isWhole = text.length >= 1 && text.length <= 9 && [...text].every((digit) => digit >= "0" && digit <= "9");
    expect(retryAfterMs({ "retry-after": value }, NOW)).toBe(isWhole ? Number(text) * 1_000 : null);
  },
);

/** Every second that the text could mean, written again: a date is one of those, or it is none. */
function meanings(text: string): readonly number[] {
  const numbers = /(\d{1,2}):(\d\d):(\d\d)/.exec(text);
  // The name of the day says nothing, and may be spoilt into one of a month.
  const named = text.trim().replace(/^[A-Z][a-z]+,? /, "");
  const month = MONTHS.findIndex((name) => named.includes(name));
  const day = /(?:, | )([ \d]\d)(?: |-)/.exec(text)?.[1];
  const year = /(\d{4})(?: \d\d:|\s*$)/.exec(text)?.[1];
  const shortYear = /-(\d\d) /.exec(text)?.[1];
  if (!numbers || month < 0 || day === undefined) return [];
  const years = year !== undefined ? [Number(year)] : shortYear !== undefined ? [1900 + Number(shortYear), 2000 + Number(shortYear)] : [];
  return years.map((each) => {
    const date = new Date(0);
    date.setUTCFullYear(each, month, Number(day));
    // Last, since a leap second at the end of a day is in the next one.
    return date.setUTCHours(Number(numbers[1]), Number(numbers[2]), Number(numbers[3]));
  });
}

fuzz(
  "a spoilt date asks for nothing, or for what it says",
  fc.tuple(
    second,
    fc.constantFrom<Form>("imf", "rfc850", "asctime"),
    edits([" ", "-", ":", "GMT", "UTC", "Feb", "31", "24", "60", "+0100", "0", "9", "\n"], 3),
  ),
  ([at, form, changes]) => {
    const text = edited(written(at, form), changes);
    const found = retryAfterMs({ "retry-after": text }, NOW);
    if (found === null || /^\d{1,9}$/.test(text.trim())) return;
    const possible = meanings(text).map((meant) => Math.max(0, meant - NOW));
    expect(possible, text).toContain(found);
  },
);

fuzz(
  "what is neither asks for nothing",
  fc.oneof(hostileText(), fc.constantFrom<string[]>([], ["", "3"], [""], ["x".repeat(100)])),
  (value) => {
    const first = typeof value === "string" ? value : value[0];
    if (first !== undefined && (/^\d{1,9}$/.test(first.trim()) || first.includes(":"))) return;
    expect(retryAfterMs({ "retry-after": value }, NOW)).toBeNull();
  },
);
