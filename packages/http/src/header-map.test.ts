import { expect, test } from "vitest";
import { headerMap } from "./header-map.ts";

test("takes every form in which callers have headers", () => {
  const expected = { "x-a": "1", "x-b": "2" };
  expect({ ...headerMap({ "X-A": "1", "x-b": 2 }) }).toEqual(expected);
  expect({ ...headerMap(["X-A", "1", "x-b", "2"]) }).toEqual(expected);
  expect({ ...headerMap([Buffer.from("X-A"), Buffer.from("1"), Buffer.from("x-b"), Buffer.from("2")]) }).toEqual(expected);
  expect({ ...headerMap(new Headers(expected)) }).toEqual(expected);
  expect({ ...headerMap(new Map(Object.entries(expected))) }).toEqual(expected);
  expect({
    ...headerMap([
      ["X-A", "1"],
      ["x-b", "2"],
    ]),
  }).toEqual(expected);
  expect({ ...headerMap(undefined) }).toEqual({});
});

test("keeps every value of a name that repeats, however it is written", () => {
  expect({ ...headerMap(["X-A", "1", "x-a", "2"]) }).toEqual({ "x-a": ["1", "2"] });
  expect({ ...headerMap({ "x-a": ["1", "2"] }) }).toEqual({ "x-a": ["1", "2"] });
});

test("leaves out what belongs to one connection, and what is undefined", () => {
  const given = {
    connection: "close",
    "Keep-Alive": "timeout=1",
    "transfer-encoding": "chunked",
    upgrade: "h2c",
    "x-a": undefined,
    "x-b": "1",
  };
  expect({ ...headerMap(given) }).toEqual({ "x-b": "1" });
});

test("no name is special", () => {
  const map = headerMap([
    ["__proto__", "1"],
    ["constructor", "2"],
  ]);
  expect(Object.keys(map)).toEqual(["__proto__", "constructor"]);
  expect(headerMap({}).constructor).toBeUndefined();
});

test("a flat list of odd length is refused", () => {
  expect(() => headerMap(["x-a", "1", "x-b"])).toThrow(TypeError);
});
