import { expect, test } from "vitest";
import { afterWarmUp, trendOf } from "./trend.ts";

test("a line's slope is found exactly, without error", () => {
  const samples = [0, 1, 2, 3, 4].map((at) => ({ at, value: 7 + 3 * at }));
  expect(trendOf(samples)).toEqual({ slope: 3, error: 0 });
});

test("noise around a line that does not rise gives a slope within its error", () => {
  const samples = Array.from({ length: 100 }, (_, at) => ({ at, value: 1_000 + (((at * 7_919) % 101) - 50) }));
  const { slope, error } = trendOf(samples);
  expect(Math.abs(slope)).toBeLessThan(3 * error);
  expect(error).toBeGreaterThan(0);
});

test("a step at the start does not count once it is warmed up", () => {
  const samples = Array.from({ length: 40 }, (_, at) => ({ at, value: at < 5 ? 0 : 1_000 }));
  expect(trendOf(samples).slope).toBeGreaterThan(1);
  expect(trendOf(afterWarmUp(samples)).slope).toBe(0);
});

test("too few samples, or all at one time, are refused", () => {
  expect(() => trendOf([{ at: 0, value: 1 }])).toThrow("3 samples");
  expect(() => trendOf([1, 2, 3].map((value) => ({ at: 5, value })))).toThrow("different times");
});
