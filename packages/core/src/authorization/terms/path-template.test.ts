import { expect, test } from "vitest";
import { compileTemplate, templateProblem } from "./path-template.ts";

test.each([
  ["/foo/{*}", ["/foo/bar"], ["/foo", "/foo/", "/foo/bar/baz", "/foo/bar/", "/fooo/bar"]],
  ["/foo/{**}", ["/foo/", "/foo/bar", "/foo/bar/baz"], ["/foo", "/foobar"]],
  ["/foo/{**}/", ["/foo/bar/", "/foo/bar/baz.txt/", "/foo//"], ["/foo/bar", "/foo/"]],
  ["/{*}/bar/{**}", ["/x/bar/", "/x/bar/y/z"], ["/bar/", "//bar/", "/x/y/bar/"]],
  ["/{**}", ["/", "/a", "/a/b"], []],
  ["/{*}", ["/a"], ["/", "/a/b"]],
  ["/a/{**}.png", ["/a/b.png", "/a/.png", "/a/b/c.png"], ["/a.png", "/a/b.jpg"]],
  ["/a.b/{*}", ["/a.b/c"], ["/axb/c"]],
  ["/a/{*}/{*}/d", ["/a/b/c/d"], ["/a/b/d", "/a//c/d"]],
])("%s takes what it should and nothing else", (template, taken, refused) => {
  const matches = compileTemplate(template);
  for (const path of taken) expect(matches(path), path).toBe(true);
  for (const path of refused) expect(matches(path), path).toBe(false);
});

test.each([
  ["/a/{**}/{*}", "nothing but text after {**}"],
  ["/a/{**}/{**}", "nothing but text after {**}"],
  ["/a{*}", "a slash on each side"],
  ["/{*}a", "a slash on each side"],
  ["/a{**}", "a slash on each side"],
  ["/a/{*}/*", "only as {*} and {**}"],
  ["/a/{id}/{*}", "only as {*} and {**}"],
  ["a/{*}", "begin with a slash"],
])("refuses %s", (template, words) => {
  expect(templateProblem(template)).toContain(words);
  expect(() => compileTemplate(template)).toThrow(words);
});

test("takes a long path against {**} in no time", () => {
  const matches = compileTemplate("/{*}/{**}/x");
  const path = `/a/${"x/".repeat(50_000)}y`;
  expect(matches(path)).toBe(false);
});
