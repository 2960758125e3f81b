import fc from "fast-check";
import { expect, test } from "vitest";
import { probe, statesOf, triesOf } from "../../test/endpoints.ts";
import type { EndpointState } from "../endpoint/endpoint.ts";
import { randomBalancer } from "./random.ts";

const at = (weights: readonly number[], draw: number, tries = triesOf()) =>
  randomBalancer(() => draw).pick(
    statesOf(weights.length, (index) => ({ weight: weights[index] ?? 1 })),
    tries,
    0,
  ).address;

test("each draw takes the endpoint whose part of the whole weight it falls in", () => {
  expect([0, 0.249, 0.25, 0.999].map((draw) => at([1, 1, 1, 1], draw))).toEqual(["a", "a", "b", "d"]);
  expect([0, 0.0999, 0.1, 0.2999, 0.3, 0.999].map((draw) => at([1, 2, 7], draw))).toEqual(["a", "a", "b", "b", "c", "c"]);
});

test("agrees with a walk over the weights, for any weights and draw", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(weights, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (weights, draw) => {
      const states = statesOf(weights.length, (index) => ({ weight: weights[index] ?? 1 }));
      let point = draw * weights.reduce((sum, weight) => sum + weight, 0);
      const expected = states.find(({ endpoint }) => {
        point -= endpoint.weight;
        return point < 0;
      });
      const picked = randomBalancer(() => draw).pick(states, triesOf(), 0);
      // A point on a border may fall on either side by rounding.
      if (Math.abs(point) > 1e-9) expect(picked).toBe(expected ?? states.at(-1));
    }),
  );
});

test("a change of the candidates or of their weights takes effect with the next pick", () => {
  const balancer = randomBalancer(() => 0.6);
  expect(balancer.pick(statesOf(2), triesOf(), 0).address).toBe("b");
  expect(
    balancer.pick(
      statesOf(2, (index) => ({ weight: index === 0 ? 9 : 1 })),
      triesOf(),
      0,
    ).address,
  ).toBe("a");
  expect(balancer.pick(statesOf(5), triesOf(), 0).address).toBe("d");
});

test("what was tried or is being probed is passed over", () => {
  expect(at([1, 1, 1], 0, triesOf("a", "b"))).toBe("c");
  const states = statesOf(2);
  probe(states[0] as EndpointState);
  expect(randomBalancer(() => 0).pick(states, triesOf(), 0).address).toBe("b");
  expect(randomBalancer(() => 0).pick(states, triesOf("b"), 0).address).toBe("b");
});
