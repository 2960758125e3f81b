import fc from "fast-check";
import { expect, test } from "vitest";
import { requestOf } from "../../test/builders.ts";
import { localResponse } from "../message.ts";
import { type Random, seededRandom } from "../random.ts";
import { split } from "./split.ts";

/** How often each share was taken in `requests` requests. */
async function taken(weights: readonly number[], random: Random, requests: number): Promise<number[]> {
  const counts = weights.map(() => 0);
  const handler = split(
    weights.map((weight, index) => ({
      weight,
      handler: () => {
        counts[index] = (counts[index] ?? 0) + 1;
        return Promise.resolve(localResponse(200, null));
      },
    })),
    random,
  );
  for (let request = 0; request < requests; request++) await handler(requestOf());
  return counts;
}

test("each draw takes the share whose part of the whole it falls in", async () => {
  const at = async (point: number) => (await taken([90, 0, 10], () => point, 1)).indexOf(1);
  expect(await Promise.all([at(0), at(0.8999), at(0.9), at(0.9999)])).toEqual([0, 0, 2, 2]);
});

test("many requests are spread exactly as the draws are", async () => {
  const random = seededRandom(5);
  const draws = Array.from({ length: 10_000 }, random);
  const expected = [draws.filter((x) => x < 0.9).length, draws.filter((x) => x >= 0.9).length];
  expect(await taken([90, 10], seededRandom(5), 10_000)).toEqual(expected);
});

test("the only share above 0 needs no draw", async () => {
  const never = () => {
    throw new Error("consumed randomness");
  };
  expect(await taken([0, 3, 0], never, 5)).toEqual([0, 5, 0]);
});

test("whatever the weights and the draw, exactly one share is taken, and never one of weight 0", async () => {
  const weights = fc.array(fc.oneof(fc.constant(0), fc.double({ min: 1e-9, max: 1e6, noNaN: true })), { minLength: 1, maxLength: 6 });
  const draw = fc.oneof(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.constant(1 - 2 ** -53));
  await fc.assert(
    fc.asyncProperty(weights, draw, async (weights, draw) => {
      fc.pre(weights.some((weight) => weight > 0));
      const counts = await taken(weights, () => draw, 1);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1);
      expect(weights[counts.indexOf(1)]).toBeGreaterThan(0);
    }),
  );
});
