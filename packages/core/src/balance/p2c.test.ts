import fc from "fast-check";
import { expect, test } from "vitest";
import { drawing, probe, statesOf, triesOf } from "../../test/endpoints.ts";
import type { EndpointState } from "../endpoint/endpoint.ts";
import { seededRandom } from "../random.ts";
import { pickOfTwo } from "./p2c.ts";

const inFlight = ({ inFlight }: EndpointState) => inFlight;

test("of two distinct draws the less loaded one is picked, the first on a tie", () => {
  const states = statesOf(4);
  (states[1] as EndpointState).inFlight = 1;
  // 0.3 of 4 is b, 0.3 of the other 3 is a; 0.3 of 4 is b, 0.4 of the other 3 is c.
  expect(pickOfTwo(states, triesOf(), drawing(0.3, 0.3), inFlight).address).toBe("a");
  expect(pickOfTwo(states, triesOf(), drawing(0.3, 0.4), inFlight).address).toBe("c");
  expect(pickOfTwo(states, triesOf(), drawing(0.9, 0.9), inFlight).address).toBe("d");
});

test("the draws are distinct and uniform over all pairs", () => {
  const states = statesOf(3);
  const random = seededRandom(11);
  const pairs: Record<string, number> = {};
  for (let count = 0; count < 60_000; count++) {
    const seen: string[] = [];
    pickOfTwo(states, triesOf(), random, (state) => {
      seen.push(state.address);
      return 0;
    });
    const pair = seen.join("");
    pairs[pair] = (pairs[pair] ?? 0) + 1;
  }
  expect(Object.keys(pairs).sort()).toEqual(["ab", "ac", "ba", "bc", "ca", "cb"]);
  for (const count of Object.values(pairs)) expect(Math.abs(count - 10_000)).toBeLessThan(400);
});

test("one candidate is picked without a draw", () => {
  const states = statesOf(1);
  expect(pickOfTwo(states, triesOf("a"), drawing(), inFlight)).toBe(states[0]);
});

test("an endpoint that the request has tried loses against any other", () => {
  const states = statesOf(2);
  (states[1] as EndpointState).inFlight = 99;
  expect(pickOfTwo(states, triesOf("a"), drawing(0, 0), inFlight).address).toBe("b");
  expect(pickOfTwo(states, triesOf("a"), drawing(0.9, 0), inFlight).address).toBe("b");
});

test("a probed endpoint gets no second request, however unlucky the draws", () => {
  const states = statesOf(20);
  for (const state of states.slice(0, 19)) probe(state);
  expect(pickOfTwo(states, triesOf(), drawing(0, 0, 0, 0, 0, 0, 0, 0), inFlight)).toBe(states[19]);
});

test("where every endpoint was tried, one that is not being probed is tried again", () => {
  const states = statesOf(3);
  probe(states[0] as EndpointState);
  probe(states[2] as EndpointState);
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      expect(pickOfTwo(states, triesOf("b"), seededRandom(seed), () => 0).address).toBe("b");
    }),
  );
});

test("whatever was tried and is probed, an acceptable endpoint is picked if there is one", () => {
  const facts = fc.array(fc.record({ tried: fc.boolean(), probed: fc.boolean() }), { minLength: 2, maxLength: 12 });
  fc.assert(
    fc.property(facts, fc.nat(), (facts, seed) => {
      const states = statesOf(facts.length);
      for (const [index, { probed }] of facts.entries()) if (probed) probe(states[index] as EndpointState);
      const tried = states.filter((_, index) => facts[index]?.tried).map(({ address }) => address);
      const acceptable = states.filter((state, index) => !state.isProbed && !facts[index]?.tried);
      const picked = pickOfTwo(states, triesOf(...tried), seededRandom(seed), inFlight);
      if (acceptable.length > 0) expect(acceptable).toContain(picked);
      else if (states.some(({ isProbed }) => !isProbed)) expect(picked.isProbed).toBe(false);
    }),
    { numRuns: 500 },
  );
});
