import { expect, test } from "vitest";
import { pathMatchOf, requestOf, routeMatchOf } from "../../test/builders.ts";
import { localResponse } from "../message.ts";
import type { RouteMatch } from "../model/match.ts";
import { compileMatch } from "./match.ts";
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
    await router("reviews", routes)(request);
    expect(request.context.route, path).toBe(expected);
  }
});

test("where none matches, the error names the request without its query, the virtual host, and all routes", async () => {
  const routes = [route("a", { path: pathMatchOf({ value: "/a" }) }), route("b", { path: pathMatchOf({ value: "/b" }) })];
  await expect(router("reviews", routes)(requestOf({ path: "/c?secret=1" }))).rejects.toMatchObject({
    code: "no_route",
    status: 404,
    message: "GET http://reviews/c: no route of reviews matches (routes: a, b)",
  });
  await expect(router("reviews", [])(requestOf())).rejects.toMatchObject({ message: expect.stringContaining("(routes: none)") });
});

test("a path ends where its query begins", () => {
  expect(["/a", "/a?b?c", "?", ""].map(pathnameOf)).toEqual(["/a", "/a", "", ""]);
});
