import { expect, test } from "vitest";
import { pathMatchOf, type RequestParts, requestOf, routeMatchOf, stringMatchOf } from "../../test/builders.ts";
import type { PathMatch, RouteMatch } from "../model/match.ts";
import { type CompiledMatch, compileMatch } from "./match.ts";
import { MatchIndex } from "./match-index.ts";
import { pathnameOf } from "./router.ts";

const never = (): number => {
  throw new Error("consumed randomness");
};

/** Which route a request takes, and which were asked for that, by their position. */
function lookup(matches: readonly Partial<RouteMatch>[], random = never) {
  const asked: number[] = [];
  const noting = (compiled: CompiledMatch, position: number): CompiledMatch => ({
    ...compiled,
    test(request, pathname) {
      asked.push(position);
      return compiled.test(request, pathname);
    },
  });
  const routes = matches.map((match, position) => ({ position, match: noting(compileMatch(routeMatchOf(match), random), position) }));
  const index = new MatchIndex(routes);
  return (parts: RequestParts) => {
    asked.length = 0;
    const request = requestOf(parts);
    return { taken: index.first(request, pathnameOf(request.path))?.position ?? null, asked: [...asked] };
  };
}

const onPath = (kind: PathMatch["kind"], value: string, parts: Partial<PathMatch> = {}) => ({
  path: pathMatchOf({ kind, value, ...parts }),
});

/** Of ten routes six take a prefix, three an exact path, one an expression. */
const thousand = Array.from({ length: 1_000 }, (_, position) => {
  const stem = `/api/v${position % 3}/resource-${position}`;
  if (position % 10 < 6) return onPath("prefix", stem);
  return position % 10 < 9 ? onPath("exact", `${stem}/all`) : onPath("regex", `${stem}/[0-9]+(/details|/history)?`);
});

test("of a thousand routes the last one is the only one asked, whatever kind it is", () => {
  const take = lookup(thousand);
  expect(take({ path: "/api/v2/resource-995/7?a=1" })).toEqual({ taken: 995, asked: [995] });
  expect(take({ path: "/api/v2/resource-998/all" })).toEqual({ taken: 998, asked: [998] });
  expect(take({ path: "/api/v0/resource-999/17/details" })).toEqual({ taken: 999, asked: [999] });
});

test("of a thousand routes none is asked that cannot match", () => {
  const take = lookup(thousand);
  for (const path of ["/", "/api/v2/resource-9", "/api/v2/resource-9950/7", "/api/v2/resource-998/all/of", "/API/v2/resource-995", ""]) {
    expect(take({ path }), path).toEqual({ taken: null, asked: [] });
  }
});

test("a thousand routes in any case ask only the one as well", () => {
  const take = lookup(thousand.map(({ path }) => ({ path: { ...path, ignoreCase: true } })));
  expect(take({ path: "/API/v2/Resource-995/7" })).toEqual({ taken: 995, asked: [995] });
  expect(take({ path: "/api/V0/RESOURCE-999/17/DETAILS" })).toEqual({ taken: 999, asked: [999] });
});

test("what fits is asked in list order, whatever is longer or more exact, until the first that takes the request", () => {
  const take = lookup([
    { ...onPath("regex", "/api/.*"), method: { methods: ["POST"], not: false } },
    onPath("exact", "/other"),
    { ...onPath("prefix", "/api"), headers: [{ name: "x-user", match: stringMatchOf({ value: "jason" }) }] },
    onPath("string-prefix", "/ap"),
    onPath("exact", "/api/7"),
  ]);
  expect(take({ path: "/api/7" })).toEqual({ taken: 3, asked: [0, 2, 3] });
  expect(take({ path: "/api/7", headers: { "x-user": "jason" } })).toEqual({ taken: 2, asked: [0, 2] });
  expect(take({ path: "/api/7", method: "POST" })).toEqual({ taken: 0, asked: [0] });
});

test("a route that is known by nothing it requires is asked in its place", () => {
  const take = lookup([
    onPath("prefix", "/a"),
    onPath("suffix", ".css"),
    onPath("prefix", "/b"),
    onPath("exact", "/c", { not: true }),
    onPath("exact", "/c"),
  ]);
  expect(take({ path: "/a/x.css" })).toEqual({ taken: 0, asked: [0] });
  expect(take({ path: "/b/x.css" })).toEqual({ taken: 1, asked: [1] });
  expect(take({ path: "/b/x" })).toEqual({ taken: 2, asked: [1, 2] });
  expect(take({ path: "/x" })).toEqual({ taken: 3, asked: [1, 3] });
  expect(take({ path: "/c" })).toEqual({ taken: 4, asked: [1, 3, 4] });
});

test("a fraction is drawn for each route that matches otherwise, and for no other", () => {
  const draws = [0.9, 0.1];
  const fraction = { numerator: 50, denominator: 100 } as const;
  const take = lookup(
    [{ ...onPath("prefix", "/b"), fraction }, { ...onPath("prefix", "/a"), fraction }, { fraction }, { fraction }],
    () => draws.shift() ?? never(),
  );
  expect(take({ path: "/a" })).toEqual({ taken: 2, asked: [1, 2] });
  expect(draws).toEqual([]);
});

test("many routes on one path that differ in a header are known by the header", () => {
  const tenant = (value: string) => [{ name: "x-tenant", match: stringMatchOf({ value }) }];
  const take = lookup([
    ...Array.from({ length: 500 }, (_, position) => ({ ...onPath("prefix", "/"), headers: tenant(`t${position}`) })),
    ...Array.from({ length: 500 }, (_, position) => ({ headers: tenant(`h${position}`) })),
    onPath("prefix", "/"),
  ]);
  expect(take({ path: "/x", headers: { "x-tenant": "t499" } })).toEqual({ taken: 499, asked: [499] });
  expect(take({ path: "/x", headers: { "x-tenant": ["h7"] } })).toEqual({ taken: 507, asked: [507] });
  expect(take({ path: "/x", headers: { "x-tenant": "T1" } })).toEqual({ taken: 1_000, asked: [1_000] });
  expect(take({ path: "/x" })).toEqual({ taken: 1_000, asked: [1_000] });
});

test("a header that may be missing, or that takes more than one value, is known by its presence at most", () => {
  const header = (parts: Parameters<typeof stringMatchOf>[0]) => ({ headers: [{ name: "x-user", match: stringMatchOf(parts) }] });
  const take = lookup([
    header({ kind: "prefix", value: "ja" }),
    header({ value: "JASON", ignoreCase: true }),
    header({ value: "mary", not: true }),
    header({ kind: "present", not: true }),
  ]);
  expect(take({ headers: { "x-user": "jason" } })).toEqual({ taken: 0, asked: [0] });
  expect(take({ headers: { "x-user": "Jason" } })).toEqual({ taken: 1, asked: [0, 1] });
  expect(take({ headers: { "x-user": "mary" } })).toEqual({ taken: null, asked: [0, 1, 2, 3] });
  expect(take({})).toEqual({ taken: 2, asked: [2] });
});

test("prefixes of prefixes are found however deep they are", () => {
  const depth = 40;
  const nested = Array.from({ length: depth }, (_, position) => ({
    ...onPath("prefix", "/a".repeat(position + 1)),
    method: { methods: position === depth - 1 ? ["GET"] : ["POST"], not: false },
  }));
  for (const order of [nested, nested.toReversed()]) {
    const { taken } = lookup(order)({ path: "/a".repeat(depth) });
    expect(order[taken ?? -1]).toBe(nested.at(-1));
  }
});

test("what is asked is what could take the request, and costs no chance", () => {
  const fraction = { numerator: 50, denominator: 100 } as const;
  const matches = [{ ...onPath("prefix", "/a"), fraction }, onPath("prefix", "/b"), { fraction }];
  const routes = matches.map((match) => ({ match: compileMatch(routeMatchOf(match), never) }));
  expect(new MatchIndex(routes).asked(requestOf({ path: "/a" }), "/a")).toEqual([routes[0], routes[2]]);
});
