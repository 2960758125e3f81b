import { expect, test } from "vitest";
import { NO_EDIT } from "../../test/builders.ts";
import type { HeaderMap } from "../message.ts";
import { editHeaders } from "./header-operations.ts";

const edited = (headers: HeaderMap, edit: Partial<typeof NO_EDIT>) => ({ ...editHeaders(headers, { ...NO_EDIT, ...edit }) });

test("set replaces, add appends, remove takes away", () => {
  expect(edited({ a: "1", b: ["1", "2"] }, { set: { a: "x", b: "y", c: "z" } })).toEqual({ a: "x", b: "y", c: "z" });
  expect(edited({ a: "1", b: ["1", "2"] }, { add: { a: "x", b: "y", c: "z" } })).toEqual({ a: ["1", "x"], b: ["1", "2", "y"], c: "z" });
  expect(edited({ a: "1", b: "2" }, { remove: ["a", "missing"] })).toEqual({ b: "2" });
});

test("in this order: set, then add, then remove", () => {
  expect(edited({ a: "0" }, { set: { a: "1" }, add: { a: "2" } })).toEqual({ a: ["1", "2"] });
  expect(edited({}, { set: { a: "1" }, add: { b: "2" }, remove: ["a", "b"] })).toEqual({});
});

test("names are compared in lower case", () => {
  expect(edited({ "x-a": "0" }, { set: { "X-A": "1" }, add: { "X-a": "2" } })).toEqual({ "x-a": ["1", "2"] });
  expect(edited({ "x-a": "0" }, { remove: ["X-A"] })).toEqual({});
});

test("the headers it was given stay as they are", () => {
  const headers: HeaderMap = { a: "1", b: ["1"] };
  editHeaders(headers, { set: { a: "x" }, add: { b: "y" }, remove: ["a"] });
  expect(headers).toEqual({ a: "1", b: ["1"] });
});
