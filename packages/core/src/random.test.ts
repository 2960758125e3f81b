import fc from "fast-check";
import { expect, test } from "vitest";
import { seededRandom } from "./random.ts";

const draw = (seed: number, count: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random());
};

test("the same seed gives the same sequence, and another seed another one", () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      expect(draw(seed, 20)).toEqual(draw(seed, 20));
    }),
  );
  expect(draw(1, 5)).not.toEqual(draw(2, 5));
});

test("the sequence does not change between versions", () => {
  expect(draw(1, 3)).toEqual([0.6270739405881613, 0.002735721180215478, 0.5274470399599522]);
});

test("every number is at least 0 and below 1, and they are spread evenly", () => {
  const drawn = draw(7, 100_000);
  const tenths = new Array<number>(10).fill(0);
  for (const number of drawn) {
    expect(number >= 0 && number < 1).toBe(true);
    const index = Math.floor(number * 10);
    tenths[index] = (tenths[index] ?? 0) + 1;
  }
  for (const count of tenths) expect(Math.abs(count - 10_000)).toBeLessThan(400);
});
