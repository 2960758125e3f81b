import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PathNormalisation } from "../../model/authorization.ts";
import { normalisePath } from "./normalise-path.ts";

const SEED = 20261;
const SETTINGS: readonly PathNormalisation[] = ["none", "base", "merge-slashes", "decode-and-merge-slashes"];
const NORMALISING = SETTINGS.slice(1);

const pieces = [
  "/",
  "//",
  ".",
  "..",
  "/..",
  "/./",
  "\\",
  "%2e",
  "%2E",
  "%2f",
  "%5C",
  "%5c",
  "%25",
  "%61",
  "%7e",
  "%c3%a9",
  "a",
  "b",
  "é",
  '"',
  "^",
  "?",
  "#",
  "?x=/../",
  "%",
  "%4",
  "%00",
  ";",
  "*",
];
const paths = fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => `/${parts.join("")}`);
const settings = fc.constantFrom(...NORMALISING);

function pathOf(path: string, setting: PathNormalisation): string {
  const normalised = normalisePath(path, setting);
  return normalised.kind === "refused" ? "refused" : normalised.path;
}

describe("as Envoy's own tests of path normalisation say", () => {
  test.each([
    ["/xyz", "/xyz"],
    ["/x/y/z", "/x/y/z"],
    ["/a/b/../c", "/a/c"],
    ["/a/b/./c", "/a/b/c"],
    ["/a/b/../../../../c", "/c"],
    ["/a/..\\c", "/c"],
    ["/a/b/%2E%2E/c", "/a/c"],
    ["/a/b/%2e%2e/c", "/a/c"],
    ["/A/B/C", "/A/B/C"],
    ["/a|b", "/a%7Cb"],
  ])("base: %s is %s", (path, normal) => {
    expect(pathOf(path, "base")).toBe(normal);
  });

  test.each(["/xyz/.%00../abc", "/xyz/%00.%00./abc", "/xyz/AAAAA%%0000/abc"])("%s is refused", (path) => {
    for (const setting of NORMALISING) expect(normalisePath(path, setting)).toMatchObject({ kind: "refused", status: 400 });
  });

  test.each([
    ["/a//b/c/", "/a/b/c/"],
    ["//a/b/c", "/a/b/c"],
    ["/a/b/c//", "/a/b/c/"],
    ["/a////b/c", "/a/b/c"],
    ["//", "/"],
    ["/a//b?a=///c", "/a/b?a=///c"],
    ["/a//b?", "/a/b?"],
    ["//a/?b", "/a/?b"],
  ])("merge-slashes: %s is %s", (path, normal) => {
    expect(pathOf(path, "merge-slashes")).toBe(normal);
  });
});

describe("as Istio documents its settings", () => {
  test.each([
    ["none", "/../%2Fa../b", "/../%2Fa../b"],
    ["base", "/a/../b", "/b"],
    ["base", "\\da", "/da"],
    ["base", "/a//b", "/a//b"],
    ["merge-slashes", "/a//b", "/a/b"],
    ["merge-slashes", "/a%2fb", "/a%2Fb"],
    ["decode-and-merge-slashes", "/a%2fb", "/a/b"],
    ["decode-and-merge-slashes", "/a%5Cb", "/a/b"],
    ["decode-and-merge-slashes", "/some%2fdata/%61%62%63", "/some/data/abc"],
    ["base", "/public/./data/abc/../xyz", "/public/data/xyz"],
    ["base", "/%2d%30%39%41%5a%5f%61%7A%7e", "/-09AZ_az~"],
  ] as const)("%s: %s is %s", (setting, path, normal) => {
    expect(pathOf(path, setting)).toBe(normal);
  });
});

test.each([
  ["base", "/admin%2Fusers", "/admin%2Fusers"],
  ["base", "/admin%2fusers", "/admin%2Fusers"],
  ["base", "/a%252e", "/a%252e"],
  ["decode-and-merge-slashes", "/a%252fb", "/a%252fb"],
  ["base", '/a"b', "/a%22b"],
  ["base", "/caf\u00c3\u00a9", "/caf%C3%A9"],
  ["base", "/..", "/"],
  ["base", "/a/..", "/"],
  ["base", "/a/.", "/a/"],
  ["base", "/a//../b", "/a/b"],
  ["base", "/...", "/..."],
  ["base", "/.well-known/x", "/.well-known/x"],
  ["base", "/a/..;/b", "/a/..;/b"],
  ["decode-and-merge-slashes", "/a/..%2f..%5cb", "/b"],
  ["base", "*", "*"],
] as const)("%s: %s reads %s", (setting, path, normal) => {
  expect(pathOf(path, setting)).toBe(normal);
});

test("says whether it changed anything", () => {
  expect(normalisePath("/a?b", "base")).toEqual({ kind: "unchanged", path: "/a?b", pathname: "/a" });
  expect(normalisePath("/.a", "base")).toEqual({ kind: "unchanged", path: "/.a", pathname: "/.a" });
  expect(normalisePath("/x/../a?b", "base")).toEqual({ kind: "changed", path: "/a?b", pathname: "/a" });
});

test("leaves the query alone", () => {
  expect(normalisePath("/a/?x=/../%2e%zz\\", "decode-and-merge-slashes")).toMatchObject({ path: "/a/?x=/../%2e%zz\\", pathname: "/a/" });
  expect(normalisePath("/b/../a?c?d", "base")).toMatchObject({ path: "/a?c?d", pathname: "/a" });
});

test.each(["/a#", "/a#/../admin", "/a?b#c", "/#?", "\\a#"])(
  "refuses %s, of which applications read more and less than was decided about",
  (path) => {
    for (const setting of SETTINGS) expect(normalisePath(path, setting)).toMatchObject({ kind: "refused", status: 400 });
  },
);

test.each([
  ["/a%", "escape at character 3"],
  ["/a%4", "escape at character 3"],
  ["/a%zz", "escape at character 3"],
  ["/a%4?x", "escape at character 3"],
  ["/a\0", "the character 0"],
  ["/a b", "the character 32"],
  ["/a\u2215", "no byte"],
  ["http://reviews/admin", "begin with a slash"],
  ["admin", "begin with a slash"],
  ["", "begin with a slash"],
])("refuses %j and says why", (path, why) => {
  for (const setting of NORMALISING)
    expect(normalisePath(path, setting)).toEqual({ kind: "refused", status: 400, why: expect.stringContaining(why) });
});

test("refuses under none too what a framework would find another path in", () => {
  expect(normalisePath("http://reviews/admin", "none")).toMatchObject({ kind: "refused" });
  expect(normalisePath("\\admin", "none")).toMatchObject({ kind: "refused" });
  expect(normalisePath("/a/../%zz//", "none")).toEqual({ kind: "unchanged", path: "/a/../%zz//", pathname: "/a/../%zz//" });
});

describe("for every path", () => {
  const check = (property: (path: string, setting: PathNormalisation) => void) =>
    fc.assert(fc.property(paths, settings, property), { seed: SEED, numRuns: 5000 });

  test("normalises what is normal to itself", () => {
    check((path, setting) => {
      const once = normalisePath(path, setting);
      if (once.kind === "refused") return;
      expect(normalisePath(once.path, setting)).toEqual({ ...once, kind: "unchanged" });
    });
  });

  test("leaves nothing by which a path could climb, hide a spelling or end elsewhere", () => {
    check((path, setting) => {
      const normal = normalisePath(path, setting);
      if (normal.kind === "refused") return;
      const { pathname } = normal;
      expect(pathname.startsWith("/")).toBe(true);
      expect(pathname.split("/")).not.toContain("..");
      expect(pathname.split("/")).not.toContain(".");
      expect(pathname).not.toMatch(/[\\?#\0 ]|%(?![0-9A-F]{2})|%00|%2E|%61/);
      if (setting !== "base") expect(pathname).not.toContain("//");
      if (setting === "decode-and-merge-slashes") expect(pathname).not.toMatch(/%2F|%5C/);
    });
  });

  test("merge-slashes is base with its slashes merged", () => {
    check((path) => {
      const base = normalisePath(path, "base");
      const merged = normalisePath(path, "merge-slashes");
      if (base.kind === "refused") expect(merged).toEqual(base);
      else expect(merged).toMatchObject({ pathname: base.pathname.replace(/\/+/g, "/") });
    });
  });

  test("decode-and-merge-slashes is merge-slashes of the path with its escaped slashes decoded", () => {
    check((path) => {
      const end = path.search(/\?|$/);
      const decoded = path.slice(0, end).replace(/%2f|%5c/gi, "/") + path.slice(end);
      const direct = normalisePath(path, "decode-and-merge-slashes");
      const staged = normalisePath(decoded, "merge-slashes");
      // An escape that is none may begin before one of the two: refused one way, it is so the other.
      expect(direct.kind === "refused").toBe(staged.kind === "refused");
      if (direct.kind !== "refused") expect(staged).toMatchObject({ path: direct.path, pathname: direct.pathname });
    });
  });

  test("what is matched is what an application that parses the path by the URL standard gets", () => {
    check((path, setting) => {
      const normal = normalisePath(path, setting);
      // A path of two slashes is read as a host there.
      if (normal.kind === "refused" || normal.path.startsWith("//")) return;
      expect(new URL(normal.path, "http://application").pathname).toBe(normal.pathname);
    });
  });
});
