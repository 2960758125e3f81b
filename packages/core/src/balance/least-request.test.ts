import { expect, test } from "vitest";
import { drawing, statesOf, triesOf } from "../../test/endpoints.ts";
import type { EndpointState } from "../endpoint/endpoint.ts";
import { leastRequest } from "./least-request.ts";

function picked(loads: readonly { inFlight: number; weight: number }[]): string {
  const states = statesOf(loads.length, (index) => ({ weight: loads[index]?.weight ?? 1 }));
  for (const [index, { inFlight }] of loads.entries()) (states[index] as EndpointState).inFlight = inFlight;
  return leastRequest(drawing(0, 0)).pick(states, triesOf(), 0).address;
}

test("the one with fewer requests in flight is picked", () => {
  expect(
    picked([
      { inFlight: 2, weight: 1 },
      { inFlight: 1, weight: 1 },
    ]),
  ).toBe("b");
  expect(
    picked([
      { inFlight: 1, weight: 1 },
      { inFlight: 2, weight: 1 },
    ]),
  ).toBe("a");
});

test("a weight of two carries twice the requests: this one included, they are shared 2 to 1", () => {
  expect(
    picked([
      { inFlight: 0, weight: 1 },
      { inFlight: 1, weight: 2 },
    ]),
  ).toBe("a");
  expect(
    picked([
      { inFlight: 1, weight: 1 },
      { inFlight: 2, weight: 2 },
    ]),
  ).toBe("b");
  expect(
    picked([
      { inFlight: 0, weight: 1 },
      { inFlight: 0, weight: 2 },
    ]),
  ).toBe("b");
});
