import fc from "fast-check";
import { expect, test } from "vitest";
import { durationMs, formatDuration, parseDuration } from "./duration.ts";

test("reads milliseconds, one unit, and several falling ones", () => {
  expect([0, 250, 1.5, 86_400_000].map(parseDuration)).toEqual([0, 250, 1.5, 86_400_000]);
  expect(["250ms", "2s", "1m30s", "1h", "1.5s", "0s", "24h", "1h2m3s4ms"].map(parseDuration)).toEqual([
    250, 2_000, 90_000, 3_600_000, 1_500, 0, 86_400_000, 3_723_004,
  ]);
});

test("refuses what is not a duration between 0 and 24 h", () => {
  const refused = [
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    86_400_001,
    "",
    "5",
    "s",
    "-1s",
    "1 s",
    " 1s",
    "1s ",
    "1S",
    "1d",
    "1e3ms",
    ".5s",
  ];
  refused.push("1s1m", "1s1s", "1ms1s", "24h1ms", "25h", `${"0".repeat(40)}1s`, "1s1", "1,5s");
  for (const value of [...refused, null, undefined, true, {}, [1]]) expect(parseDuration(value), String(value)).toBe(undefined);
});

test("an option that is not a duration throws a TypeError that names it and its value", () => {
  expect(durationMs("2s", "timeout")).toBe(2_000);
  expect(() => durationMs("soon", "timeout")).toThrow(new TypeError(durationMessage("timeout", '"soon"')));
});

function durationMessage(option: string, value: string): string {
  return `${option}: ${value} must be milliseconds or a duration such as "250ms", "2s", "1m30s", at most 24h`;
}

test("formats in the largest exact unit", () => {
  const written = [0, 1, 999, 1_000, 1_500, 60_000, 90_000, 3_600_000, 5_400_000, 0.25].map(formatDuration);
  expect(written).toEqual(["0ms", "1ms", "999ms", "1s", "1500ms", "1m", "90s", "1h", "90m", "0.25ms"]);
});

test("whatever is formatted is read back as the same duration", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.nat(86_400_000),
        fc.nat(86_400).map((s) => s * 1_000),
        fc.nat(1_440).map((m) => m * 60_000),
      ),
      (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      },
    ),
  );
});

test("reading never throws, and gives nothing or a duration in range", () => {
  const anything = fc.oneof(fc.anything(), fc.string(), fc.stringMatching(/^[0-9.]{1,5}(ms|s|m|h)([0-9.]{1,5}(ms|s|m|h))?$/));
  fc.assert(
    fc.property(anything, (value) => {
      const ms = parseDuration(value);
      if (ms !== undefined) expect(ms >= 0 && ms <= 86_400_000).toBe(true);
    }),
  );
});

test("fractions are read without a rounding error", () => {
  expect(["1.001s", "0.29s", "9.102330833333h", "1m0.001s"].map(parseDuration)).toEqual([1_001, 290, 32_768_390.9999988, 60_001]);
});
