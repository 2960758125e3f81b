import { expect, test } from "vitest";
import { describeValue } from "./describe-value.ts";

test("describes whatever can be given, and never throws", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const values = ["a", 1, Number.NaN, null, undefined, { a: [1] }, 1n, Symbol("x"), () => 1, cycle];
  expect(values.map(describeValue)).toEqual([
    '"a"',
    "1",
    "null",
    "null",
    "undefined",
    '{"a":[1]}',
    "1n",
    "a symbol",
    "a function",
    "an object",
  ]);
});
