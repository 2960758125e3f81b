import fc from "fast-check";
import { expect, test } from "vitest";
import { endpointOf } from "../../test/builders.ts";
import type { OutlierConfig } from "../model/backend.ts";
import type { ChannelLease } from "./channels.ts";
import type { EndpointState } from "./endpoint.ts";
import { EndpointStates } from "./endpoint-set.ts";

const OUTLIER: OutlierConfig = {
  consecutiveFailures: 1,
  intervalMs: 10_000,
  baseEjectionMs: 30_000,
  maxEjectionMs: 300_000,
  maxEjectionPercent: 100,
};

function setOf(addresses: readonly string[], outlier: OutlierConfig | null = OUTLIER): EndpointStates {
  const states = new EndpointStates(outlier);
  states.update(
    addresses.map((address) => endpointOf(address)),
    0,
  );
  return states;
}

const names = (states: readonly EndpointState[]) => states.map(({ address }) => address);
const at = (states: EndpointStates, address: string) => states.all.find((state) => state.address === address) as EndpointState;
const fail = (states: EndpointStates, address: string, now: number) =>
  states.record(at(states, address), { isFailure: true, startedAt: now, now });
const succeed = (states: EndpointStates, address: string, now: number) =>
  states.record(at(states, address), { isFailure: false, startedAt: now, now });

test("an update keeps the state of an address that stays, and returns what left", () => {
  const states = setOf(["a", "b"]);
  const [a, b] = states.all as [EndpointState, EndpointState];
  a.begin(0);
  const left = states.update([endpointOf("c"), endpointOf("a", { weight: 5, labels: { v: "2" } })], 1);
  expect(left).toEqual([b]);
  expect(states.all[1]).toBe(a);
  expect(a).toMatchObject({ inFlight: 1, endpoint: { weight: 5, labels: { v: "2" } } });
  expect(names(states.candidates(1))).toEqual(["c", "a"]);
});

test("whatever comes, goes and moves, a state belongs to its address, and each that is not kept has left", () => {
  const listed = fc.uniqueArray(fc.integer({ min: 0, max: 12 }).map((number) => `10.0.0.${number}:80`));
  fc.assert(
    fc.property(fc.array(listed, { minLength: 2, maxLength: 6 }), (updates) => {
      const states = new EndpointStates(OUTLIER);
      let known = new Map<string, EndpointState>();
      for (const addresses of updates) {
        const left = states.update(
          addresses.map((address) => endpointOf(address)),
          0,
        );
        expect(names(states.all)).toEqual(addresses);
        for (const state of states.all) if (known.has(state.address)) expect(state).toBe(known.get(state.address));
        expect(new Set(left)).toEqual(new Set([...known.values()].filter(({ address }) => !addresses.includes(address))));
        known = new Map(states.all.map((state) => [state.address, state]));
      }
    }),
  );
});

test("of an address that is listed twice no state is lost: it is kept, or it has left", () => {
  const states = setOf(["a", "b", "b"]);
  const before = states.all;
  const left = states.update([endpointOf("b"), endpointOf("a")], 0);
  expect(new Set([...states.all, ...left])).toEqual(new Set(before));
});

test("an address that another uid took over starts fresh", () => {
  const states = new EndpointStates(OUTLIER);
  states.update([endpointOf("a", { uid: "1" })], 0);
  const before = states.all[0];
  const left = states.update([endpointOf("a", { uid: "2" })], 0);
  expect(left).toEqual([before]);
  expect(states.all[0]).not.toBe(before);
  states.update([endpointOf("a", { uid: "2" })], 0);
  expect(states.all).toHaveLength(1);
});

test("the candidates are the same array as long as nothing changes", () => {
  const states = setOf(["a", "b", "c"]);
  const before = states.candidates(0);
  succeed(states, "a", 5);
  expect(states.candidates(1e6)).toBe(before);
  fail(states, "a", 1e6);
  expect(states.candidates(1e6)).not.toBe(before);
});

test("an ejected endpoint is no candidate until its time has come, then it is half-open and its estimate is forgotten", () => {
  const states = setOf(["a", "b", "c"]);
  at(states, "a").estimateMs = 5_000;
  fail(states, "a", 0);
  expect(names(states.candidates(29_999))).toEqual(["b", "c"]);
  expect(names(states.candidates(30_000))).toEqual(["a", "b", "c"]);
  expect(at(states, "a")).toMatchObject({ status: "half-open", estimateMs: Number.NaN });
});

test("of endpoints that are ejected one after the other each returns at its own time", () => {
  const states = setOf(["a", "b", "c"]);
  fail(states, "a", 0);
  fail(states, "b", 10_000);
  expect(names(states.candidates(29_999))).toEqual(["c"]);
  expect(names(states.candidates(30_000))).toEqual(["a", "c"]);
  expect(names(states.candidates(40_000))).toEqual(["a", "b", "c"]);
});

test("never all are ejected, also not when a probe fails while the others are out", () => {
  const states = setOf(["a", "b"]);
  fail(states, "a", 0);
  expect(names(states.candidates(30_000))).toEqual(["a", "b"]);
  fail(states, "b", 30_001);
  expect(at(states, "b").status).toBe("ejected");
  fail(states, "a", 30_002);
  expect(at(states, "a").status).toBe("half-open");
  expect(names(states.candidates(30_003))).toEqual(["a"]);
});

test("in any history, not all endpoints are ejected, and never more than the share", () => {
  const step = fc.record({ isFailure: fc.boolean(), index: fc.nat(5), afterMs: fc.constantFrom(0, 100, 10_000, 40_000) });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.constantFrom(0, 30, 50, 100),
      fc.array(step, { maxLength: 50 }),
      (count, percent, steps) => {
        const states = setOf(
          Array.from({ length: count }, (_, index) => `e${index}`),
          { ...OUTLIER, maxEjectionPercent: percent },
        );
        let now = 0;
        for (const { isFailure, index, afterMs } of steps) {
          now += afterMs;
          states.candidates(now);
          const state = states.all[index % count] as EndpointState;
          states.record(state, { isFailure, startedAt: now, now });
          const ejected = states.all.filter(({ status }) => status === "ejected").length;
          expect(ejected).toBeLessThanOrEqual(Math.min(count - 1, Math.floor((count * percent) / 100)));
          for (const candidate of states.candidates(now)) expect(candidate.status).not.toBe("ejected");
        }
      },
    ),
  );
});

test("a draining endpoint is left alone for half a second, then probed", () => {
  const states = setOf(["a", "b"]);
  states.drain(at(states, "a"), 1_000);
  states.drain(at(states, "a"), 1_200);
  expect(names(states.candidates(1_499))).toEqual(["b"]);
  expect(names(states.candidates(1_500))).toEqual(["a", "b"]);
  expect(at(states, "a").status).toBe("half-open");
});

test("a probe that finds the endpoint still draining, or gone, is followed by one after twice the time, and by no ejection", () => {
  const states = setOf(["a", "b"]);
  const a = at(states, "a");
  const waits: number[] = [];
  let now = 0;
  states.drain(a, now);
  for (let probes = 0; probes < 8; probes++) {
    waits.push(a.returnsAt - now);
    now = a.returnsAt;
    states.candidates(now);
    if (probes % 2 === 0) states.drain(a, now);
    else fail(states, "a", now);
    expect(a.status).toBe("draining");
  }
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  expect(a.ejections).toBe(0);
});

test("a probe that is answered brings the endpoint back at once, and the next drain is probed as soon as the first", () => {
  const states = setOf(["a", "b"]);
  const a = at(states, "a");
  states.drain(a, 0);
  states.candidates(500);
  states.drain(a, 500);
  states.candidates(1_500);
  a.begin(1_500);
  states.answered(a, 1_500, 1_501);
  expect(a).toMatchObject({ status: "ready", isProbed: false });
  states.drain(a, 2_000);
  expect(a.returnsAt).toBe(2_500);
});

test("what was sent before the probe says nothing about it", () => {
  const states = setOf(["a", "b"]);
  const a = at(states, "a");
  states.drain(a, 0);
  states.candidates(500);
  states.answered(a, 499, 510);
  states.record(a, { isFailure: true, startedAt: 499, now: 520 });
  expect(a.status).toBe("half-open");
});

test("a draining endpoint gets a new channel: its idle connections are about to be closed", () => {
  const states = setOf(["a", "b"]);
  const a = at(states, "a");
  let renewals = 0;
  a.lease = { renew: () => renewals++ } as unknown as ChannelLease;
  states.drain(a, 0);
  states.drain(a, 1);
  expect(renewals).toBe(1);
});

test("where all are out, all are candidates: a guess beats a certain failure", () => {
  const states = setOf(["a", "b"]);
  states.drain(at(states, "a"), 0);
  states.drain(at(states, "b"), 0);
  expect(names(states.candidates(0))).toEqual(["a", "b"]);
});

test("what the source knows to be unhealthy or draining is no candidate while there is another", () => {
  const states = new EndpointStates(OUTLIER);
  const update = (...healths: ("healthy" | "unhealthy" | "draining" | "unknown")[]) =>
    states.update(
      healths.map((health, index) => endpointOf(`e${index}`, { health })),
      0,
    );
  update("healthy", "unhealthy", "draining", "unknown");
  expect(names(states.candidates(0))).toEqual(["e0", "e3"]);
  update("unhealthy", "draining");
  expect(names(states.candidates(0))).toEqual(["e0", "e1"]);
});

test("without outlier detection failures are counted and nobody is ejected", () => {
  const states = setOf(["a", "b"], null);
  for (let count = 0; count < 100; count++) fail(states, "a", 0);
  expect(at(states, "a")).toMatchObject({ status: "ready", failures: 100 });
});

test("without outlier detection an endpoint that drained takes full part again after its probe", () => {
  const states = setOf(["a", "b"], null);
  const a = at(states, "a");
  states.drain(a, 0);
  states.candidates(500);
  a.begin(500);
  expect(a.isProbed).toBe(true);
  states.answered(a, 500, 501);
  expect(a).toMatchObject({ status: "ready", isProbed: false });
});
