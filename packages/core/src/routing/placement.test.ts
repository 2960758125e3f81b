import { expect, test } from "vitest";
import { pathMatchOf, routeMatchOf, stringMatchOf } from "../../test/builders.ts";
import type { RouteMatch } from "../model/match.ts";
import { placesOf } from "./placement.ts";

const times = (count: number, match: (position: number) => Partial<RouteMatch>) =>
  Array.from({ length: count }, (_, position) => routeMatchOf(match(position)));
const header = (name: string, value: string) => ({ name, match: stringMatchOf({ value }) });
const names = (matches: readonly RouteMatch[]) => placesOf(matches).map((place) => (place.by === "header" ? place.name : place.by));

test("a route is known by its path, by a header where more than a few have the same path", () => {
  const samePath = (position: number) => ({ path: pathMatchOf({ value: "/api" }), headers: [header("x-user", `u${position}`)] });
  expect(names(times(4, samePath))).toEqual(Array(4).fill("path"));
  expect(names(times(5, samePath))).toEqual(Array(5).fill("x-user"));
});

test("of its headers the one that the fewest have", () => {
  const matches = times(6, (position) => ({ headers: [header("x-env", "test"), header("x-user", `u${position}`)] }));
  expect(names(matches)).toEqual(Array(6).fill("x-user"));
});

test("a header that all of the path have too does not tell them apart", () => {
  const matches = times(6, () => ({ path: pathMatchOf({ value: "/api" }), headers: [header("x-env", "test")] }));
  expect(names(matches)).toEqual(Array(6).fill("path"));
});

test("only the eight most used header names are looked at, since every request pays for each", () => {
  const matches = times(20, (position) => ({ headers: [header(position < 12 ? `x-${position}` : "x-user", "1")] }));
  expect(new Set(names(matches))).toEqual(new Set(["x-user", "x-0", "x-1", "x-2", "x-3", "x-4", "x-5", "x-6", "always"]));
});
