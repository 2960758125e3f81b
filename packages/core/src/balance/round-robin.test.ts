import fc from "fast-check";
import { expect, test } from "vitest";
import { probe, statesOf, triesOf } from "../../test/endpoints.ts";
import type { EndpointState } from "../endpoint/endpoint.ts";
import { RoundRobin } from "./round-robin.ts";

function picks(balancer: RoundRobin, states: readonly EndpointState[], count: number, tries = triesOf()): string {
  return Array.from({ length: count }, () => balancer.pick(states, tries).address).join("");
}

function counted(balancer: RoundRobin, states: readonly EndpointState[], count: number): number[] {
  const counts = new Map(states.map((state) => [state, 0]));
  for (let pick = 0; pick < count; pick++) {
    const state = balancer.pick(states, triesOf());
    counts.set(state, (counts.get(state) ?? 0) + 1);
  }
  return states.map((state) => counts.get(state) ?? 0);
}

test("equal weights take turns", () => {
  expect(picks(new RoundRobin(() => 0), statesOf(3), 7)).toBe("abcabca");
});

test("starts at a random turn, so that clients do not move in step", () => {
  const first = new Set(Array.from({ length: 6 }, (_, index) => picks(new RoundRobin(() => index / 2 ** 16), statesOf(3), 1)));
  expect(first).toEqual(new Set(["a", "b", "c"]));
});

test("weights are interleaved, not served in bursts", () => {
  const states = statesOf(2, (index) => ({ weight: index === 0 ? 3 : 1 }));
  const sequence = picks(new RoundRobin(() => 0), states, 400);
  expect(sequence).not.toContain("bb");
  expect(sequence).not.toContain("aaaaa");
});

test("equally light endpoints get their turns in different rounds", () => {
  const states = statesOf(3, (index) => ({ weight: index === 0 ? 2 : 1 }));
  const sequence = picks(new RoundRobin(() => 0), states, 400);
  // Half of 65,535 is rounded, so that the two meet once in a cycle.
  expect(sequence.match(/bc|cb/g)?.length ?? 0).toBeLessThanOrEqual(1);
});

test("over a full cycle the picks are exactly in proportion to the weights, wherever it starts", () => {
  const weights = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(weights, fc.nat(65_535), (weights, start) => {
      const states = statesOf(weights.length, (index) => ({ weight: weights[index] ?? 1 }));
      const greatest = Math.max(...weights);
      const isEven = weights.every((weight) => weight === greatest);
      // A round passes an endpoint over in proportion to its weight, in 65,535ths of the greatest; a cycle is 65,535 rounds.
      const strides = weights.map((weight) => (isEven ? 1 : Math.round((weight / greatest) * 65_535)));
      const cycle = strides.reduce((sum, stride) => sum + stride, 0);
      expect(counted(new RoundRobin(() => start / 2 ** 16), states, cycle)).toEqual(strides);
    }),
    { numRuns: 15 },
  );
});

test("the shares are right over any long stretch, not only over a cycle", () => {
  const states = statesOf(3, (index) => ({ weight: [1, 2, 5][index] ?? 1 }));
  const counts = counted(new RoundRobin(() => 0.37), states, 800);
  for (const [index, share] of [100, 200, 500].entries()) expect(Math.abs((counts[index] ?? 0) - share)).toBeLessThanOrEqual(2);
});

test("a change of the candidates takes effect with the next pick", () => {
  const balancer = new RoundRobin(() => 0);
  const states = statesOf(3);
  picks(balancer, states, 4);
  const [a, b] = states as [EndpointState, EndpointState];
  expect(new Set(picks(balancer, [a, b], 10))).toEqual(new Set("ab"));
  const heavier = statesOf(2, (index) => ({ weight: index === 0 ? 65_535 : 1 }));
  expect(counted(balancer, heavier, 1_000)[1]).toBeLessThanOrEqual(1);
});

test("the next in turn that the request has not tried and that is not being probed is taken", () => {
  const states = statesOf(4);
  probe(states[1] as EndpointState);
  expect(picks(new RoundRobin(() => 0), states, 4, triesOf("a"))).toBe("cccd");
});

test("where every endpoint was tried, one that is not being probed is tried again", () => {
  const states = statesOf(3);
  probe(states[0] as EndpointState);
  probe(states[1] as EndpointState);
  expect(new Set(picks(new RoundRobin(() => 0), states, 6, triesOf("c")))).toEqual(new Set("c"));
});
