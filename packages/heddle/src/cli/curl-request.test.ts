import { expect, test } from "vitest";
import { parseCurl } from "./curl-request.ts";

test("a header may have the name of something that every object has, and several fields of one name are a list", () => {
  const { headers } = parseCurl(["http://reviews/", "-H", "Constructor: a", "-H", "__proto__: b", "-H", "__proto__: c"]);
  expect(Object.entries(headers)).toEqual([
    ["constructor", "a"],
    ["__proto__", ["b", "c"]],
  ]);
});

test("the scheme may be in upper case, as in any URL", () => {
  expect(parseCurl(["HTTPS://reviews/"]).url).toBe("HTTPS://reviews/");
  expect(() => parseCurl(["httpsx://reviews/"])).toThrow("is not an http:// or https:// URL");
});
