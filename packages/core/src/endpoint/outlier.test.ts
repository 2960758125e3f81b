import { expect, test } from "vitest";
import { statesOf } from "../../test/endpoints.ts";
import type { OutlierConfig } from "../model/backend.ts";
import type { EndpointState } from "./endpoint.ts";
import { recordOutcome } from "./outlier.ts";

function configOf(parts: Partial<OutlierConfig> = {}): OutlierConfig {
  return { consecutiveFailures: 2, intervalMs: 10_000, baseEjectionMs: 30_000, maxEjectionMs: 300_000, maxEjectionPercent: 100, ...parts };
}

const oneState = () => statesOf(1)[0] as EndpointState;
const MANY = { total: 10, out: 0 };

function fail(state: EndpointState, now: number, config = configOf(), neighbours = MANY, startedAt = now): boolean {
  return recordOutcome(state, { isFailure: true, startedAt, now }, config, neighbours);
}

function succeed(state: EndpointState, now: number, startedAt = now): boolean {
  return recordOutcome(state, { isFailure: false, startedAt, now }, configOf(), MANY);
}

function eject(state: EndpointState, now: number, config = configOf()): number {
  fail(state, now, config);
  fail(state, now, config);
  expect(state.status).toBe("ejected");
  return state.returnsAt - now;
}

/** As the endpoint set does when its time has come. */
function comeBack(state: EndpointState): void {
  state.status = "half-open";
}

test("ejects after so many failures in a row; a success in between begins anew", () => {
  const state = oneState();
  expect(fail(state, 0)).toBe(false);
  expect(succeed(state, 0)).toBe(false);
  expect(fail(state, 0)).toBe(false);
  expect(fail(state, 0)).toBe(true);
  expect(state).toMatchObject({ status: "ejected", returnsAt: 30_000, ejections: 1 });
});

test("never ejects the last endpoint, nor more than the share", () => {
  const at = (total: number, out: number, maxEjectionPercent: number) => {
    const state = oneState();
    fail(state, 0, configOf({ maxEjectionPercent }), { total, out });
    return fail(state, 0, configOf({ maxEjectionPercent }), { total, out });
  };
  expect([at(1, 0, 100), at(2, 0, 100), at(2, 1, 100), at(3, 1, 100), at(3, 2, 100)]).toEqual([false, true, false, true, false]);
  expect([at(3, 0, 50), at(3, 1, 50), at(4, 1, 50), at(4, 2, 50), at(10, 0, 9), at(10, 0, 0)]).toEqual([
    true,
    false,
    true,
    false,
    false,
    false,
  ]);
});

test("each further ejection lasts longer by the base, up to the most", () => {
  const state = oneState();
  const config = configOf({ maxEjectionMs: 70_000 });
  const lengths: number[] = [];
  let now = 0;
  for (let count = 0; count < 4; count++) {
    lengths.push(eject(state, now, config));
    now = state.returnsAt;
    comeBack(state);
    recordOutcome(state, { isFailure: false, startedAt: now, now }, config, MANY);
  }
  expect(lengths).toEqual([30_000, 60_000, 70_000, 70_000]);
});

test("each healthy interval takes one back", () => {
  const state = oneState();
  for (let count = 0; count < 3; count++) {
    eject(state, state.returnsAt);
    comeBack(state);
    succeed(state, state.returnsAt);
  }
  const healthySince = state.readySince;
  expect(eject(state, healthySince + 20_000)).toBe(60_000);
  comeBack(state);
  succeed(state, state.returnsAt);
  expect(eject(state, state.readySince + 1e6)).toBe(30_000);
});

test("a probe that succeeds makes it ready; one that fails ejects for longer, after a single failure", () => {
  const state = oneState();
  eject(state, 0);
  comeBack(state);
  expect(fail(state, 30_000)).toBe(true);
  expect(state).toMatchObject({ status: "ejected", returnsAt: 90_000, ejections: 2 });
  comeBack(state);
  expect(succeed(state, 90_000)).toBe(true);
  expect(state).toMatchObject({ status: "ready", readySince: 90_000 });
});

test("what began before it was let back in says nothing about it now", () => {
  const state = oneState();
  eject(state, 0);
  comeBack(state);
  expect(succeed(state, 31_000, 29_999)).toBe(false);
  expect(state.status).toBe("half-open");
  expect(fail(state, 31_000, configOf(), MANY, 29_999)).toBe(false);
  expect(state.status).toBe("half-open");
  expect(succeed(state, 31_000, 30_000)).toBe(true);
});

test("what ends while it is ejected changes nothing", () => {
  const state = oneState();
  eject(state, 0);
  for (let count = 0; count < 5; count++) fail(state, 10, configOf(), MANY, 0);
  succeed(state, 20, 0);
  expect(state).toMatchObject({ status: "ejected", returnsAt: 30_000, ejections: 1 });
});

test("a failed probe does not eject the last endpoint either", () => {
  const state = oneState();
  eject(state, 0);
  comeBack(state);
  expect(fail(state, 30_000, configOf(), { total: 2, out: 1 })).toBe(false);
  expect(state.status).toBe("half-open");
});
