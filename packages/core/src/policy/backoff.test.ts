import fc from "fast-check";
import { expect, test } from "vitest";
import { backoffMs } from "./backoff.ts";

test("full jitter: from 0 to twice as much with each retry, up to the most", () => {
  const longest = (retry: number) => backoffMs(retry, 25, 250, () => 1);
  expect([1, 2, 3, 4, 5, 6, 10].map(longest)).toEqual([25, 50, 100, 200, 250, 250, 250]);
  expect(backoffMs(3, 25, 250, () => 0)).toBe(0);
  expect(backoffMs(3, 25, 250, () => 0.5)).toBe(50);
});

test("is never below 0 nor above the most, for any settings", () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 11 }), fc.nat(60_000), fc.nat(60_000), random, (retry, base, max, draw) => {
      const ms = backoffMs(retry, base, max, () => draw);
      expect(ms >= 0 && ms <= max).toBe(true);
    }),
  );
});
