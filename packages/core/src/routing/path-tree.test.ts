import fc from "fast-check";
import { expect, test } from "vitest";
import { Candidates } from "./candidates.ts";
import { END, type PathKind, PathTree } from "./path-tree.ts";

interface Entry {
  readonly kind: PathKind;
  readonly text: string;
}

/** The positions of the entries that a path may match. */
function found(entries: readonly Entry[], path: string): number[] {
  const tree = new PathTree();
  entries.forEach(({ kind, text }, position) => {
    tree.add(kind, text, position);
  });
  tree.seal();
  const candidates = new Candidates(entries.length);
  tree.collect(path, candidates);
  const routes: number[] = [];
  for (let route = candidates.next(); route !== END; route = candidates.next()) routes.push(route);
  return routes;
}

function fits({ kind, text }: Entry, path: string): boolean {
  if (kind === "exact") return path === text;
  return path.startsWith(text) && (kind === "prefix" || path.length === text.length || path[text.length] === "/");
}

test("an exact path is the whole, an element ends where one ends, a prefix anywhere", () => {
  const entries: Entry[] = [
    { kind: "exact", text: "/api" },
    { kind: "element", text: "/api" },
    { kind: "prefix", text: "/api" },
  ];
  expect(found(entries, "/api")).toEqual([0, 1, 2]);
  expect(found(entries, "/api/x")).toEqual([1, 2]);
  expect(found(entries, "/apix")).toEqual([2]);
  expect(found(entries, "/ap")).toEqual([]);
});

test("finds exactly the beginnings that a path has, in order", () => {
  const text = fc.array(fc.constantFrom("/", "a", "b", "é", "😀"), { maxLength: 5 }).map((parts) => parts.join(""));
  const entry = fc.record({ kind: fc.constantFrom<PathKind>("exact", "element", "prefix"), text });
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20, size: "max" }), text, (entries, path) => {
      expect(found(entries, path)).toEqual(entries.flatMap((entry, position) => (fits(entry, path) ? [position] : [])));
    }),
    { numRuns: 5_000 },
  );
});
