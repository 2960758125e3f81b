import { expect, test } from "vitest";
import { nearest } from "./nearest.ts";

test("finds the word that was meant", () => {
  expect(nearest("reveiws", ["ratings", "reviews", "catalog"])).toBe("reviews");
  expect(nearest("Reviews", ["reviews"])).toBe("reviews");
  expect(nearest("review", ["reviews", "preview"])).toBe("reviews");
});

test("of two the closer one, of equally close ones the first", () => {
  expect(nearest("catalog-v1", ["catalog-v22", "catalog-v2"])).toBe("catalog-v2");
  expect(nearest("v3", ["v1", "v2"])).toBe("v1");
});

test("suggests nothing where more than a third of the letters differ", () => {
  expect(nearest("abcdef", ["abcxyz"])).toBe(null);
  expect(nearest("abcdef", ["abcdxy"])).toBe("abcdxy");
  expect(nearest("web", ["ratings"])).toBe(null);
  expect(nearest("web", [])).toBe(null);
  expect(nearest("x".repeat(65), [`${"x".repeat(64)}y`])).toBe(null);
});
