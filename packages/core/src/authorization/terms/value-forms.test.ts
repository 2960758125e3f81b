import { expect, test } from "vitest";
import { formatValue, parsePath, parsePort, parsePrincipal, parseValue } from "./value-forms.ts";

test.each([
  ["*", "present", ""],
  ["abc*", "prefix", "abc"],
  ["*abc", "suffix", "abc"],
  ["*abc*", "suffix", "abc*"],
  ["a*c", "exact", "a*c"],
  ["", "exact", ""],
])("reads %j as Istio does", (text, kind, value) => {
  expect(parseValue(text)).toEqual({ kind, value, ignoreCase: false });
});

test("adds to a principal the scheme that Istio leaves out", () => {
  expect(parsePrincipal("shop.example/ns/shop/sa/web")).toMatchObject({ kind: "exact", value: "spiffe://shop.example/ns/shop/sa/web" });
  expect(parsePrincipal("spiffe://shop.example/*")).toMatchObject({ kind: "prefix", value: "spiffe://shop.example/" });
  expect(parsePrincipal("shop.example/*")).toMatchObject({ kind: "prefix", value: "spiffe://shop.example/" });
  expect(parsePrincipal("*/sa/web")).toMatchObject({ kind: "suffix", value: "/sa/web" });
  expect(parsePrincipal("*")).toMatchObject({ kind: "present" });
});

test("reads a path with braces as a template", () => {
  expect(parsePath("/a/{*}")).toEqual({ kind: "template", value: "/a/{*}" });
  expect(parsePath("/a/*")).toMatchObject({ kind: "prefix" });
});

test.each(["0", "65536", "080", "8080 ", "http", "-1", ""])("%j is not a port", (text) => {
  expect(parsePort(text)).toBe(null);
});

test("says a value as it was written", () => {
  expect(["*", "a*", "*a", "a"].map((text) => formatValue(parseValue(text)))).toEqual(["*", '"a*"', '"*a"', '"a"']);
  expect(parsePort("65535")).toEqual({ from: 65535, to: 65535 });
});
