import { expect, test } from "vitest";
import { pathMatchOf, type RequestParts, requestOf } from "../../test/builders.ts";
import type { PathMatch } from "../model/match.ts";
import type { RouteAction } from "../model/route.ts";
import { redirectLocation } from "./redirect.ts";

type Redirect = Extract<RouteAction, { kind: "redirect" }>;

const UNCHANGED: Redirect = { kind: "redirect", status: 302, scheme: null, host: null, port: null, path: null, stripQuery: false };

function location(redirect: Partial<Redirect>, request: RequestParts = {}, match: PathMatch | null = null): string {
  return redirectLocation({ ...UNCHANGED, ...redirect }, match, requestOf({ path: "/old/7?a=1", ...request }));
}

test("what is not given stays as requested", () => {
  expect(location({})).toBe("http://reviews/old/7?a=1");
  expect(location({}, { authority: "reviews:8080", scheme: "https" })).toBe("https://reviews:8080/old/7?a=1");
});

test("replaces the path and keeps the query, unless that is stripped", () => {
  expect(location({ path: { kind: "replace", value: "/new" } })).toBe("http://reviews/new?a=1");
  expect(location({ path: { kind: "replace", value: "/new" }, stripQuery: true })).toBe("http://reviews/new");
  expect(location({ stripQuery: true })).toBe("http://reviews/old/7");
});

test("replaces what the route's prefix matched", () => {
  const match = pathMatchOf({ value: "/old" });
  expect(location({ path: { kind: "prefix", value: "/new" } }, {}, match)).toBe("http://reviews/new/7?a=1");
  expect(location({ path: { kind: "prefix", value: "/" } }, {}, match)).toBe("http://reviews/7?a=1");
  expect(location({ path: { kind: "prefix", value: "/new" } }, { path: "/old" }, match)).toBe("http://reviews/new");
});

test("a port that was given for the old scheme is not carried over to a new one", () => {
  expect(location({ scheme: "https" }, { authority: "reviews:8080" })).toBe("https://reviews/old/7?a=1");
  expect(location({ scheme: "https" }, { authority: "reviews:8080", scheme: "https" })).toBe("https://reviews:8080/old/7?a=1");
  expect(location({ scheme: "https", port: 8443 }, { authority: "reviews:8080" })).toBe("https://reviews:8443/old/7?a=1");
});

test("a default port is not written", () => {
  expect(location({ port: 80 })).toBe("http://reviews/old/7?a=1");
  expect(location({ scheme: "https", port: 443 })).toBe("https://reviews/old/7?a=1");
  expect(location({ port: 443 })).toBe("http://reviews:443/old/7?a=1");
  expect(location({}, { authority: "reviews:80" })).toBe("http://reviews/old/7?a=1");
});

test("another host keeps the port, also of an IPv6 address", () => {
  expect(location({ host: "ratings" }, { authority: "[::1]:8080" })).toBe("http://ratings:8080/old/7?a=1");
  expect(location({}, { authority: "[::1]" })).toBe("http://[::1]/old/7?a=1");
  expect(location({ port: 81 }, { authority: "[::1]:8080" })).toBe("http://[::1]:81/old/7?a=1");
});
