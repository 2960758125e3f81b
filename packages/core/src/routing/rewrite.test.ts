import fc from "fast-check";
import { expect, test } from "vitest";
import { pathMatchOf, rewriteOf } from "../../test/builders.ts";
import { matchedPrefix, replacePrefix, rewritePath } from "./rewrite.ts";

test.each([
  ["/api/7?a=1", "/api", "/v2", "/v2/7?a=1"],
  ["/api", "/api", "/v2", "/v2"],
  ["/api/", "/api", "/v2", "/v2/"],
  ["/api?a=/b", "/api", "/v2", "/v2?a=/b"],
  ["/api/7", "/api/", "/v2", "/v2/7"],
  ["/api/7", "/api", "/v2/", "/v2/7"],
  ["/api/7", "/api", "/", "/7"],
  ["/api", "/api", "/", "/"],
  ["/api?a", "/api", "/", "/?a"],
  ["/7", "/", "/v2", "/v2/7"],
  ["/", "/", "/v2", "/v2/"],
  ["/API/7", "/api", "/v2", "/v2/7"],
  ["/api/7", "/api", "", "/7"],
  ["/api", "/api", "", "/"],
  ["/api/7", "/api", "v2", "/v2/7"],
])("%s with %s replaced by %s is %s", (path, matched, replacement, expected) => {
  expect(replacePrefix(path, matched, replacement)).toBe(expected);
});

test("the prefix is the match's where it is on a prefix, and the whole path's start otherwise", () => {
  expect(matchedPrefix(pathMatchOf({ value: "/api" }))).toBe("/api");
  expect(matchedPrefix(pathMatchOf({ kind: "string-prefix", value: "/api" }))).toBe("/api");
  expect(matchedPrefix(pathMatchOf({ kind: "exact", value: "/api" }))).toBe("/");
  expect(matchedPrefix(pathMatchOf({ value: "/api", not: true }))).toBe("/");
  expect(matchedPrefix(null)).toBe("/");
});

test("without a prefix to write the path stays as it is", () => {
  const match = pathMatchOf({ value: "/api" });
  expect(rewritePath("/api/7", null, match)).toBe("/api/7");
  expect(rewritePath("/api/7", rewriteOf({ authority: "x" }), match)).toBe("/api/7");
  expect(rewritePath("/api/7", rewriteOf({ prefix: "/v2" }), match)).toBe("/v2/7");
});

test("whatever is replaced, the result starts with a slash and keeps query and remaining elements", () => {
  const element = fc.stringMatching(/^[a-z]{1,3}$/);
  const elements = fc.array(element, { maxLength: 3 });
  const replacement = fc.tuple(elements, fc.boolean(), fc.boolean());
  const query = fc.option(fc.string({ maxLength: 6 }), { nil: null });
  fc.assert(
    fc.property(elements, elements, replacement, query, (prefix, rest, [head, starts, ends], query) => {
      const path = `/${[...prefix, ...rest].join("/")}${query === null ? "" : `?${query}`}`;
      const written = `${starts ? "/" : ""}${head.join("/")}${ends ? "/" : ""}`;
      const result = replacePrefix(path, `/${prefix.join("/")}`, written);
      expect(result.startsWith("/")).toBe(true);
      const [, search] = /^[^?]*(.*)$/s.exec(result) ?? [];
      expect(search).toBe(query === null ? "" : `?${query}`);
      const pathname = query === null ? result : result.slice(0, result.indexOf("?"));
      expect(pathname.split("/").filter((part) => part !== "")).toEqual([...head, ...rest]);
    }),
  );
});
