import fc from "fast-check";
import { expect, test } from "vitest";
import { pathMatchOf, type RequestParts, requestOf, routeMatchOf, stringMatchOf } from "../../test/builders.ts";
import type { PathMatch, RouteMatch } from "../model/match.ts";
import { seededRandom } from "../random.ts";
import { compileMatch } from "./match.ts";
import { pathnameOf } from "./router.ts";

const never = (): number => {
  throw new Error("consumed randomness");
};

function matches(match: Partial<RouteMatch>, parts: RequestParts = {}, random = never): boolean {
  const request = requestOf(parts);
  return compileMatch(routeMatchOf(match), random).test(request, pathnameOf(request.path));
}

const path = (parts: Partial<PathMatch>, value: string) => matches({ path: pathMatchOf(parts) }, { path: value });

test("without conditions everything matches", () => {
  expect(matches({}, { method: "POST", path: "/x?y" })).toBe(true);
});

test.each([
  ["exact", "/old", ["/old", "/old?a=1"], ["/old/", "/older", "/Old", "/"]],
  ["prefix", "/api", ["/api", "/api/", "/api/x/y", "/api?a=1"], ["/apix", "/ap", "/", "/x/api", "/API"]],
  ["prefix", "/api/", ["/api", "/api/", "/api/x"], ["/apix"]],
  ["prefix", "/", ["/", "/x", "/x/y"], []],
  ["string-prefix", "/api", ["/api", "/apix", "/api/x"], ["/ap", "/x/api"]],
  ["suffix", ".css", ["/a.css", "/a.css?v=.js"], ["/a.js?v=.css", "/a.css/"]],
  ["regex", "/v[0-9]+/.*", ["/v1/", "/v22/x?y"], ["/v/", "/x/v1/", "/v1"]],
] as const)("path %s %s sees the path without its query", (kind, value, matching, others) => {
  for (const one of matching) expect(path({ kind, value }, one), one).toBe(true);
  for (const one of others) expect(path({ kind, value }, one), one).toBe(false);
  for (const one of matching) expect(path({ kind, value, not: true }, one), `not ${one}`).toBe(false);
  for (const one of others) expect(path({ kind, value, not: true }, one), `not ${one}`).toBe(true);
});

test("a path is compared in any case where the match says so", () => {
  for (const kind of ["exact", "prefix", "string-prefix", "suffix", "regex"] as const) {
    expect(path({ kind, value: "/aPi", ignoreCase: true }, "/ApI"), kind).toBe(true);
    expect(path({ kind, value: "/aPi" }, "/ApI"), kind).toBe(false);
  }
  expect(path({ kind: "prefix", value: "/API", ignoreCase: true }, "/api/X")).toBe(true);
});

test("a prefix matches exactly the paths that begin with its elements", () => {
  const element = fc.constantFrom("a", "b", "ab", "");
  const elements = fc.array(element, { maxLength: 4 });
  fc.assert(
    fc.property(elements, elements, (prefix, wanted) => {
      const given = prefix.filter((part) => part !== "");
      const value = `/${given.join("/")}`;
      const path = `/${wanted.join("/")}`;
      const begins = given.every((part, index) => wanted[index] === part);
      expect(matches({ path: pathMatchOf({ value }) }, { path }), `${value} ${path}`).toBe(given.length === 0 || begins);
    }),
  );
});

test("one of the methods, or none of them", () => {
  const method = (not: boolean, method: string) => matches({ method: { methods: ["GET", "HEAD"], not } }, { method });
  expect([method(false, "GET"), method(false, "HEAD"), method(false, "POST"), method(false, "get")]).toEqual([true, true, false, false]);
  expect([method(true, "GET"), method(true, "POST")]).toEqual([false, true]);
});

test("the authority, with its port", () => {
  const authority = stringMatchOf({ value: "reviews:80" });
  expect(matches({ authority }, { authority: "reviews:80" })).toBe(true);
  expect(matches({ authority }, { authority: "reviews" })).toBe(false);
});

test("a header; several fields of its name are one list", () => {
  const header = (parts: Parameters<typeof stringMatchOf>[0], value: string | string[] | undefined) =>
    matches({ headers: [{ name: "x-user", match: stringMatchOf(parts) }] }, { headers: { "x-user": value } });
  expect(header({ value: "jason" }, "jason")).toBe(true);
  expect(header({ value: "jason" }, undefined)).toBe(false);
  expect(header({ value: "jason", not: true }, undefined)).toBe(true);
  expect(header({ value: "a,b" }, ["a", "b"])).toBe(true);
  expect(header({ value: "a" }, ["a", "b"])).toBe(false);
  expect(header({ kind: "contains", value: "b" }, ["a", "b"])).toBe(true);
  expect(header({ kind: "present" }, "")).toBe(true);
});

test("a query parameter is decoded, and the first of its name counts", () => {
  const query = (parts: Parameters<typeof stringMatchOf>[0], path: string, name = "q") =>
    matches({ query: [{ name, match: stringMatchOf(parts) }] }, { path });
  expect(query({ value: "a b&c" }, "/?x=1&q=a%20b%26c")).toBe(true);
  expect(query({ value: "a b" }, "/?q=a+b")).toBe(true);
  expect(query({ value: "1" }, "/?q=1&q=2")).toBe(true);
  expect(query({ value: "1" }, "/??q=1")).toBe(false);
  expect(query({ value: "1" }, "/??q=1", "?q")).toBe(true);
  expect(query({ value: "2" }, "/?q=1&q=2")).toBe(false);
  expect(query({ value: "1" }, "/?p%71=1", "pq")).toBe(true);
  expect(query({ kind: "present" }, "/?q")).toBe(true);
  expect(query({ kind: "present" }, "/q=1")).toBe(false);
  expect(query({ kind: "present", not: true }, "/?p=1")).toBe(true);
  expect(query({ value: "%" }, "/?q=%")).toBe(true);
});

test("all conditions must hold", () => {
  const match = {
    path: pathMatchOf({ value: "/api" }),
    method: { methods: ["GET"], not: false },
    headers: [{ name: "x-a", match: stringMatchOf({ value: "1" }) }],
    query: [{ name: "q", match: stringMatchOf({ value: "2" }) }],
  };
  const request = { path: "/api?q=2", headers: { "x-a": "1" } };
  expect(matches(match, request)).toBe(true);
  for (const change of [{ path: "/apix?q=2" }, { method: "POST" }, { headers: {} }, { path: "/api?q=3" }]) {
    expect(matches(match, { ...request, ...change }), JSON.stringify(change)).toBe(false);
  }
});

test("a fraction comes last, so that a request that does not match consumes no randomness", () => {
  const match = { method: { methods: ["GET"], not: false }, fraction: { numerator: 50, denominator: 100 } } as const;
  expect(matches(match, { method: "POST" }, never)).toBe(false);
  expect(() => matches(match, { method: "GET" }, never)).toThrow("consumed randomness");
});

test("a fraction takes exactly the draws below it, in each of its units", () => {
  for (const denominator of [100, 10_000, 1_000_000] as const) {
    const fraction = { numerator: 25, denominator };
    const share = 25 / denominator;
    expect(matches({ fraction }, {}, () => 0)).toBe(true);
    expect(matches({ fraction }, {}, () => share - 1e-9)).toBe(true);
    expect(matches({ fraction }, {}, () => share + 1e-9)).toBe(false);
  }
  const taken = (numerator: number) => {
    const random = seededRandom(3);
    return Array.from({ length: 10_000 }, () => matches({ fraction: { numerator, denominator: 100 } }, {}, random)).filter(Boolean).length;
  };
  expect(taken(0)).toBe(0);
  expect(taken(100)).toBe(10_000);
  const draws = seededRandom(3);
  expect(taken(10)).toBe(Array.from({ length: 10_000 }, draws).filter((point) => point < 0.1).length);
});

test("a match can say what its conditions are", () => {
  const match = routeMatchOf({
    path: pathMatchOf({ value: "/api", ignoreCase: true }),
    method: { methods: ["GET", "HEAD"], not: true },
    headers: [{ name: "x-user", match: stringMatchOf({ kind: "present", not: true }) }],
    query: [{ name: "q", match: stringMatchOf({ kind: "regex", value: "a+" }) }],
    authority: stringMatchOf({ kind: "suffix", value: ".example" }),
  });
  expect(compileMatch(match, never).conditions.map(({ why }) => why)).toEqual([
    'authority suffix ".example"',
    'path prefix "/api" (any case)',
    "method not in GET, HEAD",
    "header x-user not present",
    'query q regex "a+"',
  ]);
});
