import fc from "fast-check";
import { expect, test } from "vitest";
import { bootstrap, halfWidth, judge, median, percentile } from "./statistics.ts";

const figures = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 40 });

test("the median of an odd number of values is the middle one, of an even number the mean of the middle two", () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 9, 1, 5])).toBe(7);
});

test("the median does not compare numbers as text", () => {
  expect(median([100, 20, 3])).toBe(20);
});

test("the median does not reorder what it is given", () => {
  const values = [3, 1, 2];
  median(values);
  expect(values).toEqual([3, 1, 2]);
});

test("there is no median and no percentile of nothing", () => {
  expect(() => median([])).toThrow(RangeError);
  expect(() => percentile([], 50)).toThrow(RangeError);
});

test("a percentile is a value of the list, by nearest rank", () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  expect(percentile(values, 50)).toBe(50);
  expect(percentile(values, 99)).toBe(99);
  expect(percentile(values, 100)).toBe(100);
  expect(percentile(values, 0)).toBe(1);
  expect(percentile([7], 99)).toBe(7);
});

test("the interval holds the median and lies within the values", () => {
  fc.assert(
    fc.property(figures, (values) => {
      const interval = bootstrap(values, 200);
      expect(interval.low).toBeLessThanOrEqual(interval.median);
      expect(interval.high).toBeGreaterThanOrEqual(interval.median);
      expect(interval.low).toBeGreaterThanOrEqual(Math.min(...values));
      expect(interval.high).toBeLessThanOrEqual(Math.max(...values));
    }),
  );
});

test("the same values give the same interval, another seed another one", () => {
  const values = Array.from({ length: 21 }, (_, index) => Math.sin(index) + 2);
  expect(bootstrap(values)).toEqual(bootstrap(values));
  expect(bootstrap(values, 50, 1)).not.toEqual(bootstrap(values, 50, 2));
});

test("values that do not differ leave no doubt", () => {
  expect(bootstrap([1.02, 1.02, 1.02])).toEqual({ median: 1.02, low: 1.02, high: 1.02 });
  expect(halfWidth(bootstrap([1.02, 1.02, 1.02]))).toBe(0);
});

test("one wild round moves neither median nor interval far", () => {
  const calm = Array.from({ length: 41 }, (_, index) => 1 + (index % 5) / 100);
  const interval = bootstrap([...calm, 50]);
  expect(interval.median).toBeLessThan(1.05);
  expect(interval.high).toBeLessThan(1.05);
});

test("the interval of a known sample covers about what order statistics say", () => {
  // For 101 values the exact 95 % interval of the median runs from about the 41st to the 61st.
  const interval = bootstrap(Array.from({ length: 101 }, (_, index) => index + 1));
  expect(interval.median).toBe(51);
  expect(interval.low).toBeGreaterThanOrEqual(38);
  expect(interval.low).toBeLessThanOrEqual(44);
  expect(interval.high).toBeGreaterThanOrEqual(58);
  expect(interval.high).toBeLessThanOrEqual(64);
});

test("half the width is relative to the median", () => {
  expect(halfWidth({ median: 2, low: 1.9, high: 2.1 })).toBeCloseTo(0.05);
});

test("a limit is met by a median at or below it, however wide the interval", () => {
  expect(judge({ median: 1.05, low: 0.9, high: 1.3 }, 1.05)).toBe("met");
});

test("a limit is missed only when the whole interval is above it", () => {
  expect(judge({ median: 1.1, low: 1.06, high: 1.2 }, 1.05)).toBe("missed");
  expect(judge({ median: 1.1, low: 1.05, high: 1.2 }, 1.05)).toBe("undecided");
});
