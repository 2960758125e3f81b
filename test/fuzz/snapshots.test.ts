import { type Backend, type MeshSnapshot, type Route, validateSnapshot } from "@heddle/core";
import { backendOf, endpointOf, endpointSetOf, inboundPolicyOf, routeOf, snapshotOf, virtualHostOf } from "@heddle/testing";
import fc from "fast-check";
import { SnapshotStore } from "../../packages/core/src/control/snapshot-store.ts";
import { expectSame, fuzz } from "./fuzz.ts";
import { HOSTILE_NAMES } from "./hostile.ts";

const name = fc.constantFrom("a", "b", "c", ...HOSTILE_NAMES);
const weight = fc.constantFrom(0, 1, 2, -1, Number.NaN, 0.5);
const backend = fc.record({
  name,
  endpointSet: name,
  protocol: fc.constantFrom<Backend["protocol"]>("http1", "http2", "grpc"),
  tls: fc.constantFrom<Backend["tls"]["mode"]>("disable", "disable", "disable", "simple").map((mode) => ({ ...backendOf().tls, mode })),
});
const set = fc.record({
  name,
  endpoints: fc.array(fc.record({ weight: fc.constantFrom(1, 1, 2, 0, -1, Number.NaN), priority: fc.constantFrom(0, 0, 0, 1) }), {
    maxLength: 2,
  }),
});
const route = fc.record({
  to: fc.array(fc.record({ backend: name, weight }), { maxLength: 2 }),
  kind: fc.constantFrom("forward", "forward", "respond"),
  mirrors: fc.array(name, { maxLength: 1 }),
  fallback: fc.option(fc.record({ backend: name, on: fc.subarray<"deadline" | "5xx">(["deadline", "5xx"]) }), { freq: 3 }),
  hashes: fc.constantFrom(false, false, false, true),
});
const parts = fc.record({
  hosts: fc.array(
    fc.record({
      authorities: fc.array(fc.constantFrom("a", "A", "*", "*.b", ...HOSTILE_NAMES), { maxLength: 2 }),
      routes: fc.array(route, { maxLength: 2 }),
    }),
    { maxLength: 2 },
  ),
  backends: fc.array(backend, { maxLength: 3 }),
  sets: fc.array(set, { maxLength: 3 }),
  mtls: fc.constantFrom<"disable" | "strict">("disable", "disable", "strict"),
});
type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never;
type RouteParts = Parts["hosts"][number]["routes"][number];

function modelRoute({ to, kind, mirrors, fallback, hashes }: RouteParts): Route {
  const action: Route["action"] =
    kind === "respond"
      ? { kind: "respond", status: 200, body: null, headers: {} }
      : { kind: "forward", to: to.map((each) => ({ ...each, headers: null })), rewrite: null };
  return routeOf({
    action,
    mirrors: mirrors.map((each) => ({ backend: each, fraction: { numerator: 1, denominator: 100 } })),
    fallback: fallback && { on: fallback.on, action: { kind: "forward", backend: fallback.backend } },
    hashOn: hashes ? [{ kind: "principal", terminal: false }] : [],
  });
}

function snapshotFrom({ hosts, backends, sets, mtls }: Parts): MeshSnapshot {
  return snapshotOf({
    virtualHosts: hosts.map(({ authorities, routes }, index) =>
      virtualHostOf({ name: `host${index}`, authorities, routes: routes.map(modelRoute) }),
    ),
    backends: backends.map((each) => backendOf(each)),
    endpointSets: sets.map((each) => endpointSetOf({ name: each.name, endpoints: each.endpoints.map((one) => endpointOf(one)) })),
    inboundPolicies: [inboundPolicyOf({ service: "a", mtls })],
  });
}

/** What the reference says of a snapshot that may be used. */
function isValid({ hosts, backends, sets }: Parts): boolean {
  const claims = hosts.flatMap(({ authorities }) => authorities.map((claim) => claim.toLowerCase()));
  // Maps hold the last of a name.
  const known = new Map(backends.map((each) => [each.name, each]));
  const knownSets = new Map(sets.map((each) => [each.name, each]));
  const isRouteValid = ({ to, kind, mirrors, fallback, hashes }: RouteParts): boolean => {
    if (hashes) return false;
    if (kind === "respond") return true;
    if (!to.every((each) => each.weight >= 0) || !to.some((each) => each.weight > 0)) return false;
    if (fallback?.on.includes("deadline")) return false;
    const named = [...to.map((each) => each.backend), ...mirrors, ...(fallback ? [fallback.backend] : [])];
    return named.every((each) => known.has(each));
  };
  return (
    new Set(claims).size === claims.length &&
    hosts.every(({ routes }) => routes.every(isRouteValid)) &&
    [...known.values()].every(({ endpointSet }) => knownSets.has(endpointSet)) &&
    [...knownSets.values()].every(({ endpoints }) => endpoints.every((one) => one.weight > 0 && one.priority === 0))
  );
}

fuzz("a snapshot is in force exactly if all of it can be done, and what was in force stays otherwise", parts, (given) => {
  const snapshot = snapshotFrom(given);
  const problems = validateSnapshot(snapshot);
  const expected = isValid(given);
  expectSame(problems.length === 0, expected, problems.map(({ message }) => message).join("; "));
  for (const { where, message, severity } of problems) expectSame([where !== "", message !== "", severity], [true, true, "error"]);
  const store = new SnapshotStore();
  const before = store.current;
  const asked: unknown = snapshot;
  store.accept(asked as Parameters<SnapshotStore["accept"]>[0]);
  expectSame(store.revision, expected ? 1 : 0);
  if (!expected) expectSame(store.current === before, true);
  else expectSame([store.current.backends, store.current.endpointSets], [snapshot.backends, snapshot.endpointSets]);
});
