import fc from "fast-check";
import { expect, test } from "vitest";
import { retryAfterMs } from "./retry-after.ts";

const NOW = Date.parse("Sun, 06 Nov 1994 08:49:37 GMT");
const asked = (value: string | string[] | undefined) => retryAfterMs({ "retry-after": value }, NOW);

test("seconds", () => {
  expect(["0", "1", "120", " 5 ", "007"].map(asked)).toEqual([0, 1_000, 120_000, 5_000, 7_000]);
});

test("a date, in each of the three forms of RFC 9110; one that has passed asks for nothing more", () => {
  expect(asked("Sun, 06 Nov 1994 08:49:47 GMT")).toBe(10_000);
  expect(asked("Sunday, 06-Nov-94 08:49:47 GMT")).toBe(10_000);
  expect(asked("Sun Nov  6 08:49:47 1994")).toBe(10_000);
  expect(asked("Sun, 06 Nov 1994 08:49:27 GMT")).toBe(0);
});

test("the first of several fields counts", () => {
  expect(asked(["3", "9"])).toBe(3_000);
});

test("what is neither asks for nothing", () => {
  const neither = [
    "",
    "-1",
    "1.5",
    "1e3",
    "+1",
    "soon",
    "1s",
    "0x10",
    "1234567890",
    "GMT",
    "1 GMT",
    "foo 2030 GMT",
    "2094-11-06T08:49:47Z",
  ];
  neither.push("Sun, 06 Nov 1994 08:49:47", "Sun, 06 Foo 1994 08:49:47 GMT", "9".repeat(100), "Sun, 06 Nov 2094 08:49:47 +0000 GMT");
  for (const value of neither) expect(asked(value), value).toBe(null);
  expect(asked(undefined)).toBe(null);
  expect(retryAfterMs({}, NOW)).toBe(null);
});

test("whatever a server sends, the answer is null or a finite wait", () => {
  const piece = fc.constantFrom("Sun", ", ", "06", " ", "Nov", "1994", "08:49:37", "GMT", "-", "9", ":", "\u0000");
  const value = fc.oneof(
    fc.string(),
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
  );
  fc.assert(
    fc.property(fc.oneof(value, fc.array(value)), (value) => {
      const ms = asked(value);
      if (ms !== null) expect(Number.isFinite(ms) && ms >= 0).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("every HTTP date is read to the second", () => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), max: new Date("2199-12-31"), noInvalidDate: true }), (date) => {
      const second = Math.floor(date.getTime() / 1_000) * 1_000;
      expect(asked(date.toUTCString())).toBe(Math.max(0, second - NOW));
    }),
  );
});

test("two digits of a year mean the one that is less than 50 years ahead", () => {
  const in2026 = (value: string) => retryAfterMs({ "retry-after": value }, Date.UTC(2026, 5, 15));
  expect(in2026("Saturday, 01-Jan-50 00:00:00 GMT")).toBe(Date.UTC(2050, 0, 1) - Date.UTC(2026, 5, 15));
  expect(in2026("Saturday, 01-Jan-77 00:00:00 GMT")).toBe(0);
});

test("a time of day that is none asks for nothing", () => {
  const times = ["00000:00", "24:00:00", "08:60:00", "08:49:61", ":::::::", "00000000"];
  for (const time of times) expect(asked(`Sun, 06 Nov 1994 ${time} GMT`), time).toBe(null);
});
