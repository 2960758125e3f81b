import fc from "fast-check";
import { expect, test } from "vitest";
import { drawing, statesOf, triesOf } from "../../test/endpoints.ts";
import type { EndpointState } from "../endpoint/endpoint.ts";
import { seededRandom } from "../random.ts";
import { PeakEwma } from "./peak-ewma.ts";

const two = () => statesOf(2) as [EndpointState, EndpointState];

/** A balancer whose mean is 100 ms, and an endpoint of which nothing is known. */
function warm(): { ewma: PeakEwma; state: EndpointState; other: EndpointState } {
  const ewma = new PeakEwma(() => 0);
  const [other, state] = two();
  ewma.succeeded(other, 100, 0);
  return { ewma, state, other };
}

test("an endpoint of which nothing is known is taken for the mean: 30 ms before the first sample, then the first sample", () => {
  const ewma = new PeakEwma(() => 0);
  const [one, other] = two();
  expect(ewma.estimate(one, 0)).toBe(30);
  ewma.succeeded(other, 100, 0);
  expect(ewma.estimate(one, 0)).toBe(100);
});

test("the mean moves by a fiftieth of each sample, which counts for at most four times the mean", () => {
  const { ewma, state, other } = warm();
  ewma.succeeded(other, 200, 0);
  expect(ewma.estimate(state, 0)).toBeCloseTo(102, 9);
  ewma.succeeded(other, 100_000, 0);
  expect(ewma.estimate(state, 0)).toBeCloseTo(102 + 0.02 * 3 * 102, 9);
});

test("rule 1: without samples the estimate drifts to the mean, with a time constant of 10 s, and never to zero", () => {
  const { ewma, state } = warm();
  state.estimateMs = 500;
  state.estimateAt = 0;
  expect(ewma.estimate(state, 0)).toBe(500);
  expect(ewma.estimate(state, 10_000)).toBeCloseTo(100 + 400 / Math.E, 9);
  expect(ewma.estimate(state, 1e9)).toBeCloseTo(100, 9);
});

test("rule 2: the estimate jumps to a slower sample at once, and recovers by a fifth of each better one", () => {
  const { ewma, state } = warm();
  ewma.succeeded(state, 900, 0);
  expect(ewma.estimate(state, 0)).toBe(900);
  ewma.succeeded(state, 100, 0);
  expect(ewma.estimate(state, 0)).toBe(900 - 800 * 0.2);
});

test("rule 3: a failure is taken for 5 s, or for what the endpoint asked, up to 300 s, and never for less than it is believed to take", () => {
  for (const [held, asked, expected] of [
    [100, 0, 5_000],
    [100, 4_000, 5_000],
    [100, 20_000, 20_000],
    [100, 1e9, 300_000],
    [9_000, 0, 9_000],
  ] as const) {
    const { ewma, state } = warm();
    state.estimateMs = held;
    state.estimateAt = 0;
    ewma.failed(state, asked, 0);
    expect(ewma.estimate(state, 0), `${held} ${asked}`).toBe(expected);
  }
});

test("rule 3: a failure does not move the mean of the others", () => {
  const { ewma, state, other } = warm();
  ewma.failed(other, 0, 0);
  expect(ewma.estimate(state, 0)).toBe(100);
});

test("a penalty is forgotten with a time constant of 2 s once what the endpoint asked for has passed; slowness with one of 10 s", () => {
  const { ewma, state } = warm();
  ewma.failed(state, 20_000, 0);
  expect(ewma.estimate(state, 20_000)).toBe(20_000);
  expect(ewma.estimate(state, 22_000)).toBeCloseTo(100 + 19_900 / Math.E, 9);
  const slow = warm();
  slow.ewma.succeeded(slow.state, 5_000, 0);
  expect(slow.ewma.estimate(slow.state, 2_000)).toBeGreaterThan(4_000);
});

test("one failure of one of two idle endpoints costs it its share for seconds, not for a minute", () => {
  const ewma = new PeakEwma(seededRandom(1));
  const [one, other] = two();
  for (const state of [one, other]) ewma.succeeded(state, 2, 0);
  ewma.failed(one, 0, 0);
  let backAt = Number.POSITIVE_INFINITY;
  for (let now = 100; now < 120_000 && backAt === Number.POSITIVE_INFINITY; now += 100) {
    const picked = ewma.pick([one, other], triesOf(), now);
    if (picked === one) backAt = now;
    else ewma.succeeded(other, now % 200 === 0 ? 1 : 3, now);
  }
  expect(backAt).toBeGreaterThan(5_000);
  expect(backAt).toBeLessThan(25_000);
});

test("rule 4: a request in flight for longer than the estimate is evidence itself", () => {
  const { ewma, state } = warm();
  state.begin(0);
  expect(ewma.cost(state, 50)).toBe(100 * 2);
  expect(ewma.cost(state, 400)).toBe(400 * 2);
  state.begin(300);
  expect(ewma.cost(state, 400)).toBe(400 * 3);
});

test("the cost is the estimate times the requests in flight and this one, divided by the weight", () => {
  const { ewma } = warm();
  const [heavy] = statesOf(1, () => ({ weight: 4 })) as [EndpointState];
  expect(ewma.cost(heavy, 0)).toBe(100 / 4);
  heavy.begin(0);
  expect(ewma.cost(heavy, 0)).toBe(200 / 4);
});

test("an endpoint that answers in no time still costs more with more in flight", () => {
  const ewma = new PeakEwma(() => 0);
  const [state] = two();
  ewma.succeeded(state, 0, 0);
  for (let count = 0; count < 200; count++) ewma.succeeded(state, 0, 0);
  const idle = ewma.cost(state, 0);
  state.begin(0);
  expect(ewma.cost(state, 0)).toBe(idle * 2);
  expect(idle).toBeGreaterThan(0);
});

test("a caller that left early proves slowness, never speed", () => {
  const { ewma, state } = warm();
  ewma.cancelled(state, 10, 0);
  expect(ewma.estimate(state, 0)).toBe(100);
  expect(state.estimateMs).toBeNaN();
  ewma.cancelled(state, 700, 0);
  expect(ewma.estimate(state, 0)).toBe(700);
});

test("the cheaper of two draws is picked", () => {
  const [one, other] = two();
  const ewma = new PeakEwma(drawing(0, 0, 0, 0));
  ewma.succeeded(one, 100, 0);
  ewma.succeeded(other, 50, 0);
  expect(ewma.pick([one, other], triesOf(), 0).address).toBe("b");
  other.begin(0);
  other.begin(0);
  expect(ewma.pick([one, other], triesOf(), 0).address).toBe("a");
});

test("whatever happens, an estimate stays between the least and the greatest there was, and cancelling never lowers it", () => {
  const step = fc.record({
    what: fc.constantFrom("succeeded" as const, "failed" as const, "cancelled" as const),
    ms: fc.double({ min: 0, max: 10_000, noNaN: true }),
    afterMs: fc.nat(5_000),
    index: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const ewma = new PeakEwma(seededRandom(1));
      const states = statesOf(3);
      let now = 0;
      for (const { what, ms, afterMs, index } of steps) {
        now += afterMs;
        const state = states[index] as EndpointState;
        const before = ewma.estimate(state, now);
        if (what === "failed") ewma.failed(state, 0, now);
        else ewma[what](state, ms, now);
        const after = ewma.estimate(state, now);
        if (what === "cancelled") expect(after).toBeGreaterThanOrEqual(before);
        if (what === "failed") expect(after).toBeGreaterThanOrEqual(5_000);
        expect(Number.isFinite(after) && after >= 0 && after <= 10_000).toBe(true);
      }
    }),
  );
});
