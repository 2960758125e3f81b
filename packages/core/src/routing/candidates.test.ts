import { expect, test } from "vitest";
import { Candidates } from "./candidates.ts";
import { END } from "./path-tree.ts";

function merged(candidates: Candidates, lists: readonly (readonly number[])[]): number[] {
  candidates.clear();
  for (const list of lists) candidates.add([...list, END]);
  candidates.begin();
  const routes: number[] = [];
  for (let route = candidates.next(); route !== END; route = candidates.next()) routes.push(route);
  return routes;
}

test("gives the routes of all lists in ascending order, for one request after the other", () => {
  const candidates = new Candidates(10);
  expect(merged(candidates, [[1, 4, 9], [0, 5], [2]])).toEqual([0, 1, 2, 4, 5, 9]);
  expect(merged(candidates, [[3]])).toEqual([3]);
  expect(merged(candidates, [])).toEqual([]);
});

test("gives all routes there are where the lists are too many to be merged", () => {
  const lists = Array.from({ length: 20 }, (_, position) => [position]);
  expect(merged(new Candidates(22), lists.slice(0, 16))).toEqual([...Array(16).keys()]);
  expect(merged(new Candidates(22), lists)).toEqual([...Array(22).keys()]);
});
