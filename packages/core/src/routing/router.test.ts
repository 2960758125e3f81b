import { expect, test } from "vitest";
import { pathMatchOf, requestOf, routeMatchOf } from "../../test/builders.ts";
import { localResponse } from "../message.ts";
import type { RouteMatch } from "../model/match.ts";
import { compileMatch } from "./match.ts";
import { routeTable } from "./route-table.ts";
import { pathnameOf, type RoutedHandler, router } from "./router.ts";

const route = (name: string, match: Partial<RouteMatch> = {}): RoutedHandler => ({
  name,
  match: compileMatch(routeMatchOf(match), () => 0),
  handler: () => Promise.resolve(localResponse(200, name)),
});

test("takes the first route that matches, and notes its name", async () => {
  const routes = [
    route("beta", { path: pathMatchOf({ value: "/beta" }) }),
    route("api", { path: pathMatchOf({ value: "/beta/api" }) }),
    route("rest"),
  ];
  for (const [path, expected] of [
    ["/beta/api", "beta"],
    ["/beta?x", "beta"],
    ["/", "rest"],
  ] as const) {
    const request = requestOf({ path });
    await router("reviews", routeTable(routes))(request);
    expect(request.context.route, path).toBe(expected);
  }
});

test("where none matches, the error names the request without its query, the virtual host, and all routes", async () => {
  const routes = [route("a", { path: pathMatchOf({ value: "/a" }) }), route("b", { path: pathMatchOf({ value: "/b" }) })];
  await expect(router("reviews", routeTable(routes))(requestOf({ path: "/c?secret=1" }))).rejects.toMatchObject({
    code: "no_route",
    status: 404,
    message: "GET http://reviews/c: no route of reviews matches (routes: a, b)",
  });
  await expect(router("reviews", routeTable([]))(requestOf())).rejects.toMatchObject({
    message: expect.stringContaining("(routes: none)"),
  });
});

test("of many routes the error names the first twenty, and says how many more there are", async () => {
  const routes = Array.from({ length: 22 }, (_, index) => route(`r${index}`, { path: pathMatchOf({ value: `/${index}` }) }));
  await expect(router("reviews", routeTable(routes))(requestOf({ path: "/c" }))).rejects.toMatchObject({
    message: expect.stringMatching(/\(routes: r0, r1, .*, r19 and 2 more\)$/),
  });
  await expect(router("reviews", routeTable(routes.slice(0, 20)))(requestOf({ path: "/c" }))).rejects.toMatchObject({
    message: expect.stringMatching(/, r18, r19\)$/),
  });
});

test("an expression that RE2 refuses fails the requests that come to it, and says why", async () => {
  const routes = [
    route("good", { path: pathMatchOf({ value: "/good" }) }),
    route("bad", { path: pathMatchOf({ kind: "regex", value: "/a(" }) }),
  ];
  const handler = router("reviews", routeTable(routes));
  await expect(handler(requestOf({ path: "/good" }))).resolves.toMatchObject({ status: 200 });
  await expect(handler(requestOf({ path: "/a?secret" }))).rejects.toMatchObject({
    code: "invalid_config",
    message: expect.stringMatching(
      /^GET http:\/\/reviews\/a: a route of reviews cannot be matched: error parsing regexp: missing closing \)/,
    ),
  });
});

test("a path ends where its query begins", () => {
  expect(["/a", "/a?b?c", "?", ""].map(pathnameOf)).toEqual(["/a", "/a", "", ""]);
});
