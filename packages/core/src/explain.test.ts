import fc from "fast-check";
import { expect, test } from "vitest";
import {
  backendOf,
  endpointSetOf,
  NO_EDIT,
  pathMatchOf,
  requestOf,
  retryOf,
  rewriteOf,
  routeMatchOf,
  routeOf,
  snapshotOf,
  stringMatchOf,
  timeoutOf,
  to,
  virtualHostOf,
} from "../test/builders.ts";
import { outboundStack } from "../test/outbound-stack.ts";
import { type ExplainedDecision, type ExplainRequest, explainRequest } from "./explain.ts";
import type { RouteMatch } from "./model/match.ts";
import type { Route, RouteAction } from "./model/route.ts";
import type { MeshSnapshot } from "./model/snapshot.ts";
import { seededRandom } from "./random.ts";

function explained(snapshot: MeshSnapshot, request: ExplainRequest) {
  const { dataPlane, clock } = outboundStack(snapshot, () => {
    throw new Error("consumed randomness");
  });
  return explainRequest(request, { dataPlane, clock, egress: snapshot.egress });
}

const beta = routeOf({
  name: "beta",
  origin: "mesh.yaml:5:7",
  match: routeMatchOf({ path: pathMatchOf({ value: "/api" }), headers: [{ name: "x-user", match: stringMatchOf({ value: "jason" }) }] }),
});

test("names the virtual host, every route that was looked at with its reason, and the decision", () => {
  const snapshot = snapshotOf({
    virtualHosts: [
      virtualHostOf({
        origin: "mesh.yaml:3:3",
        routes: [
          beta,
          routeOf({
            timeout: timeoutOf({ totalMs: 2_000 }),
            retry: retryOf(),
            action: { kind: "forward", to: [to("reviews", 3), to("v2", 1), to("v3", 0)], rewrite: rewriteOf({ prefix: "/v2" }) },
            headers: { request: { ...NO_EDIT, set: { "x-env": "prod" } }, response: null },
          }),
          routeOf({ name: "never" }),
        ],
      }),
    ],
    backends: [backendOf(), backendOf({ name: "v2", endpointSet: "reviews" }), backendOf({ name: "v3", endpointSet: "reviews" })],
  });
  const explanation = explained(snapshot, { url: "http://Reviews:80/api/7?a=1", headers: { "X-User": "ann" } });
  expect(explanation).toMatchObject({
    authority: "reviews",
    virtualHost: { name: "reviews", claim: "reviews", from: "mesh.yaml:3:3" },
    egress: null,
    routes: [
      { name: "beta", from: "mesh.yaml:5:7", matched: false, why: 'not matched: header x-user exact "jason"' },
      { name: "default", matched: true, why: "matches everything" },
    ],
    decision: {
      kind: "forward",
      route: "default",
      path: "/v2/api/7?a=1",
      requestHeaders: { "x-user": "ann", "x-env": "prod" },
      timeout: "2s",
      backends: [
        { backend: "reviews", percent: 75 },
        { backend: "v2", percent: 25, endpoints: [{ address: "a:1", state: "ready" }] },
      ],
    },
  });
  expect(explanation.routes).toHaveLength(2);
  expect(explained(snapshot, { url: "http://reviews/api", headers: { "x-user": "jason" } }).decision).toMatchObject({ route: "beta" });
});

test("an unclaimed host is the egress's to decide", () => {
  const { virtualHost, egress, decision } = explained(snapshotOf({ egress: "deny" }), { url: "http://elsewhere/" });
  expect({ virtualHost, egress, decision }).toEqual({ virtualHost: null, egress: "deny", decision: { kind: "unclaimed" } });
});

test("a route for a fraction of requests leaves the ones behind it possible", () => {
  const share = (numerator: number) =>
    snapshotOf({
      virtualHosts: [
        virtualHostOf({
          routes: [routeOf({ name: "some", match: routeMatchOf({ fraction: { numerator, denominator: 100 } }) }), routeOf()],
        }),
      ],
    });
  const routes = (numerator: number) =>
    explained(share(numerator), { url: "http://reviews/" }).alternatives.map((decision) =>
      "route" in decision ? decision.route : decision.kind,
    );
  expect(routes(10)).toEqual(["some", "default"]);
  expect(routes(0)).toEqual(["default"]);
  expect(routes(100)).toEqual(["some"]);
});

test("what is not a URL of http is a TypeError", () => {
  for (const url of ["reviews", "ftp://reviews/", "", "http://user@reviews/", "http://:secret@reviews/"])
    expect(() => explained(snapshotOf(), { url }), url).toThrow(TypeError);
});

const segment = fc.constantFrom("a", "b", "c");
const path = fc.array(segment, { maxLength: 3 }).map((parts) => `/${parts.join("/")}`);
const stringMatch = fc.record({
  kind: fc.constantFrom("exact" as const, "prefix" as const, "suffix" as const, "contains" as const, "present" as const),
  value: segment,
  ignoreCase: fc.boolean(),
  not: fc.boolean(),
});
const match: fc.Arbitrary<RouteMatch> = fc
  .record({
    path: fc.option(
      fc.record({
        kind: fc.constantFrom("exact" as const, "prefix" as const, "string-prefix" as const, "suffix" as const),
        value: path,
        ignoreCase: fc.boolean(),
        not: fc.boolean(),
      }),
      { nil: null },
    ),
    method: fc.option(fc.record({ methods: fc.subarray(["GET", "POST", "PUT"], { minLength: 1 }), not: fc.boolean() }), { nil: null }),
    headers: fc.array(fc.record({ name: fc.constantFrom("x-a", "x-b"), match: stringMatch }), { maxLength: 2 }),
    query: fc.array(fc.record({ name: fc.constantFrom("p", "q"), match: stringMatch }), { maxLength: 1 }),
    fraction: fc.option(fc.record({ numerator: fc.constantFrom(0, 30, 100), denominator: fc.constant(100 as const) }), { nil: null }),
  })
  .map(routeMatchOf);
const action: fc.Arbitrary<RouteAction> = fc.oneof(
  fc
    .record({ weights: fc.array(fc.nat(3), { minLength: 2, maxLength: 2 }), prefix: fc.option(path, { nil: null }) })
    .map(({ weights: [one = 0, other = 0], prefix }) => ({
      kind: "forward" as const,
      to: [to("reviews", one + other === 0 ? 1 : one), to("v2", other)],
      rewrite: prefix === null ? null : rewriteOf({ prefix }),
    })),
  fc.constant({ kind: "respond" as const, status: 410, body: "gone", headers: {} }),
  path.map((value) => ({
    kind: "redirect" as const,
    status: 308 as const,
    scheme: null,
    host: null,
    port: null,
    path: { kind: "prefix" as const, value },
    stripQuery: false,
  })),
);
const routes: fc.Arbitrary<Route[]> = fc
  // More than are asked one by one.
  .array(fc.record({ match, action }), { maxLength: 12, size: "max" })
  .map((all) => all.map((parts, index) => routeOf({ name: `r${index}`, ...parts })));
const wanted = fc.record({
  method: fc.constantFrom("GET", "POST", "PUT"),
  path: fc.tuple(path, fc.constantFrom("", "?p=a", "?q=B&p=c")).map(([path, query]) => path + query),
  headers: fc.record({ "x-a": segment, "x-b": segment }, { requiredKeys: [] }),
});

test("what a request does is one of the decisions that explain gave for it", async () => {
  await fc.assert(
    fc.asyncProperty(routes, wanted, fc.nat(), async (routes, { method, path, headers }, seed) => {
      const snapshot = snapshotOf({
        virtualHosts: [virtualHostOf({ routes })],
        backends: [backendOf(), backendOf({ name: "v2", endpointSet: "v2" })],
        endpointSets: [endpointSetOf("reviews", ["a:1"]), endpointSetOf("v2", ["b:1"])],
      });
      const { alternatives } = explained(snapshot, { method, url: `http://reviews${path}`, headers });
      const stack = outboundStack(snapshot, seededRandom(seed));
      const { request, response } = stack.send({ method, path, headers: { ...headers } });
      const status = await response.then(
        ({ status, headers }) => ({ status, location: headers.location }),
        (error: { code: string }) => error.code,
      );
      const [sent] = stack.transport.sent;
      const seen = { route: request.context.route, backend: request.context.backend, path: sent?.request.path, status };
      expect(alternatives.filter((decision) => agrees(decision, seen))).not.toEqual([]);
      expect(requestOf().path).toBe("/");
    }),
    { numRuns: 300 },
  );
});

test("a route that the table does not ask is not taken, whatever its conditions say", () => {
  const { dataPlane, clock } = outboundStack(
    snapshotOf({ virtualHosts: [virtualHostOf({ routes: [routeOf({ name: "a" }), routeOf()] })] }),
  );
  const { virtualHost } = dataPlane.claim("reviews") ?? expect.fail("reviews is claimed");
  const compiled = dataPlane.compiled(virtualHost);
  const skipping = { ...compiled, table: { ...compiled.table, asked: () => compiled.table.routes.slice(1) } };
  dataPlane.compiled = () => skipping;
  expect(explainRequest({ url: "http://reviews/" }, { dataPlane, clock, egress: "allow" })).toMatchObject({
    routes: [
      { name: "a", matched: false, why: "not matched: passed over" },
      { name: "default", matched: true },
    ],
    decision: { route: "default" },
  });
});

interface Seen {
  readonly route: string;
  readonly backend: string;
  readonly path: string | undefined;
  readonly status: string | { readonly status: number; readonly location: unknown };
}

function agrees(decision: ExplainedDecision, { route, backend, path, status }: Seen): boolean {
  switch (decision.kind) {
    case "unclaimed":
      return false;
    case "no-route":
      return status === "no_route";
    case "respond":
      return route === decision.route && typeof status === "object" && status.status === decision.status && path === undefined;
    case "redirect":
      return route === decision.route && typeof status === "object" && status.location === decision.location && path === undefined;
    case "forward":
      return (
        route === decision.route && path === decision.path && decision.backends.some((one) => one.backend === backend && one.percent > 0)
      );
    default:
      return decision satisfies never;
  }
}

test("says which backend refuses https, as the request would learn", async () => {
  const explanation = explained(snapshotOf(), { url: "https://reviews/" });
  expect(explanation.decision).toMatchObject({ kind: "forward", backends: [{ refuses: "tls_required" }] });
  await expect(outboundStack().send({ scheme: "https" }).response).rejects.toMatchObject({ code: "tls_required" });
  expect(explained(snapshotOf(), { url: "http://reviews/" }).decision).toMatchObject({ backends: [{ refuses: null }] });
});

test("a gRPC call is decided by its method and metadata, and by what protocol the backend speaks", () => {
  const list = routeOf({ name: "list", match: routeMatchOf({ path: pathMatchOf({ kind: "exact", value: "/shop.Reviews/List" }) }) });
  const snapshot = snapshotOf({
    virtualHosts: [virtualHostOf({ routes: [list, routeOf({ name: "rest" })] })],
    backends: [backendOf({ protocol: "grpc" })],
  });
  const decided = (request: ExplainRequest) => explained(snapshot, request).decision;
  expect(decided({ grpc: "shop.Reviews/List", url: "http://reviews" })).toMatchObject({
    kind: "forward",
    route: "list",
    path: "/shop.Reviews/List",
    backends: [{ refuses: null, failure: "grpc:unknown, grpc:deadline-exceeded, grpc:internal, grpc:unavailable, grpc:data-loss" }],
  });
  expect(decided({ grpc: "shop.Reviews/Get", url: "http://reviews" })).toMatchObject({ route: "rest" });
  expect(decided({ url: "http://reviews/shop.Reviews/List" })).toMatchObject({ backends: [{ refuses: "protocol_error" }] });
  expect(explained(snapshotOf(), { grpc: "shop.Reviews/List", url: "http://reviews" }).decision).toMatchObject({
    backends: [{ refuses: "protocol_error" }],
  });
});

test.each([
  [{ grpc: "List", url: "http://reviews" }, 'grpc: "List" is no method, which is written package.Service/Method'],
  [{ grpc: "/shop.Reviews/List", url: "http://reviews" }, "is no method"],
  [{ grpc: "shop.Reviews/List", url: "http://reviews/x" }, "names the service alone beside grpc"],
  [{ grpc: "shop.Reviews/List", method: "GET", url: "http://reviews" }, "a gRPC call is always a POST"],
])("a call that is none is refused: %j", (request, message) => {
  expect(() => explained(snapshotOf(), request)).toThrow(message);
});

test("a host header is the authority that is sent; the URL's host alone names the service", () => {
  const explanation = explained(snapshotOf(), { url: "http://reviews/", headers: { Host: "Public.example" } });
  expect(explanation).toMatchObject({ virtualHost: { name: "reviews" }, decision: { authority: "public.example" } });
  expect(explanation.decision.kind === "forward" && "host" in explanation.decision.requestHeaders).toBe(false);
});

test("takes headers as front doors do, and no option that does not exist", () => {
  const snapshot = snapshotOf({ virtualHosts: [virtualHostOf({ routes: [beta, routeOf()] })] });
  const route = (headers: ExplainRequest["headers"]) => {
    const { decision } = explained(snapshot, { url: "http://reviews/api", ...(headers && { headers }) });
    return decision.kind === "forward" && decision.route;
  };
  expect([route(new Headers({ "x-user": "jason" })), route([["X-User", "jason"]]), route({ "x-user": "jason" }), route({})]).toEqual([
    "beta",
    "beta",
    "beta",
    "default",
  ]);
  expect(() => explained(snapshot, { uri: "http://reviews/" } as never)).toThrow(
    'mesh.explain: there is no option "uri"; did you mean "url"?',
  );
  expect(() => explained(snapshot, { url: "reviews" })).toThrow('mesh.explain: url: "reviews" is not a URL');
});
