import { expect, test } from "vitest";
import {
  backendOf,
  endpointOf,
  endpointSetOf,
  inboundPolicyOf,
  routeOf,
  type SnapshotParts,
  snapshotOf,
  to,
  virtualHostOf,
} from "../../test/builders.ts";
import type { WeightedBackend } from "./route.ts";
import { validateSnapshot } from "./validate.ts";

const messages = (parts: SnapshotParts) => validateSnapshot(snapshotOf(parts)).map(({ message }) => message);
const forwarding = (...backends: WeightedBackend[]): SnapshotParts => ({
  virtualHosts: [virtualHostOf({ routes: [routeOf({ action: { kind: "forward", to: backends, rewrite: null } })] })],
});

test("a valid snapshot has no problem, and neither has an empty one", () => {
  expect(messages({})).toEqual([]);
  expect(messages({ virtualHosts: [], backends: [], endpointSets: [], inboundPolicies: [] })).toEqual([]);
  expect(messages({ endpointSets: [endpointSetOf("reviews", [])] })).toEqual([]);
});

test("names that lead nowhere are errors, at the place where they were written", () => {
  expect(messages(forwarding(to("revews")))).toEqual(["route default leads to backend revews, which does not exist"]);
  expect(messages({ endpointSets: [] })).toEqual(["backend reviews names endpoint set reviews, which does not exist"]);
  const problems = validateSnapshot(
    snapshotOf({ virtualHosts: [virtualHostOf({ routes: [routeOf({ origin: "mesh.yaml:7:3", action: nowhere })] })] }),
  );
  expect(problems).toMatchObject([{ where: "mesh.yaml:7:3", severity: "error" }]);
});

const nowhere = { kind: "forward", to: [to("nowhere")], rewrite: null } as const;

test("a route must be able to send its requests somewhere", () => {
  expect(messages(forwarding())).toEqual(["route default: its weights sum to 0; at least one must be above 0"]);
  expect(messages(forwarding(to("reviews", 0)))).toHaveLength(1);
  expect(messages(forwarding(to("reviews", 0), to("reviews", 1)))).toEqual([]);
  expect(messages(forwarding(to("reviews", -1), to("reviews", 2)))).toEqual(["route default: weight -1 of reviews must be 0 or more"]);
  expect(messages(forwarding(to("reviews", Number.NaN)))).toHaveLength(2);
});

test("an endpoint's weight is above 0", () => {
  const problems = messages({ endpointSets: [endpointSetOf("reviews", [endpointOf("a:1", { weight: 0 })])] });
  expect(problems).toEqual(["weight 0 of a:1 must be above 0"]);
});

test("every problem is reported at once", () => {
  expect(
    messages({
      virtualHosts: [virtualHostOf({ routes: [routeOf({ action: nowhere }), routeOf({ name: "other", action: nowhere })] })],
      backends: [backendOf({ endpointSet: "missing" })],
      inboundPolicies: [inboundPolicyOf()],
    }),
  ).toHaveLength(3);
});
