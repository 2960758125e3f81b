import fc from "fast-check";
import { expect, test } from "vitest";
import { pathMatchOf, requestOf, routeMatchOf } from "../../test/builders.ts";
import { REQUEST, ROUTE_MATCH } from "../../test/route-arbitraries.ts";
import type { MeshRequest } from "../message.ts";
import type { RouteMatch } from "../model/match.ts";
import { type Random, seededRandom } from "../random.ts";
import { compileMatch } from "./match.ts";
import { MatchIndex } from "./match-index.ts";
import { firstOf, routeTable } from "./route-table.ts";
import { pathnameOf } from "./router.ts";

const SEED = 7;

/** Which route each request takes, and how often chance was asked until then. */
type Trace = { readonly route: number | null; readonly draws: number }[];

interface Numbered {
  readonly number: number;
  readonly match: ReturnType<typeof compileMatch>;
}

type First = (request: MeshRequest, pathname: string) => Numbered | null;

function trace(matches: readonly RouteMatch[], requests: readonly MeshRequest[], firstIn: (routes: readonly Numbered[]) => First): Trace {
  const seeded = seededRandom(SEED);
  let draws = 0;
  const random: Random = () => {
    draws++;
    return seeded();
  };
  const first = firstIn(matches.map((match, number) => ({ number, match: compileMatch(match, random) })));
  return requests.map((request) => ({ route: first(request, pathnameOf(request.path))?.number ?? null, draws }));
}

const inOrder = (routes: readonly Numbered[]): First => {
  return (request, pathname) => firstOf(routes, request, pathname);
};

const indexed = (routes: readonly Numbered[]): First => {
  const index = new MatchIndex(routes);
  return (request, pathname) => index.first(request, pathname);
};

const tabled = (routes: readonly Numbered[]): First => routeTable(routes).first;

test("an index takes the very route that asking each in order takes, and draws the same chances", () => {
  const matches = fc.array(ROUTE_MATCH, { maxLength: 24, size: "max" });
  const requests = fc.array(REQUEST, { minLength: 24, maxLength: 24 });
  fc.assert(
    fc.property(matches, requests, (matches, requests) => {
      const expected = trace(matches, requests, inOrder);
      expect(trace(matches, requests, indexed)).toEqual(expected);
      expect(trace(matches, requests, tabled)).toEqual(expected);
    }),
    { numRuns: 2_000 },
  );
});

test("few routes are asked one after the other, from eight on those alone that may match", () => {
  const asked = (count: number) => {
    const routes = Array.from({ length: count }, (_, number) => ({
      number,
      match: compileMatch(routeMatchOf({ path: pathMatchOf({ value: `/${number}` }) }), () => 0),
    }));
    const table = routeTable(routes);
    expect(table.routes).toBe(routes);
    return table.asked(requestOf({ path: "/6/x" }), "/6/x").map(({ number }) => number);
  };
  expect(asked(7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  expect(asked(8)).toEqual([6]);
});
