import { expect, test } from "vitest";
import { requestOf, tryOf } from "../test/builders.ts";
import { Cancel } from "./cancel.ts";
import { copyHeaders, derive, type HeaderMap, headerValue, localResponse } from "./message.ts";

test("a derived request has the change, shares the context, and leaves the original alone", () => {
  const request = requestOf({ method: "POST", path: "/a", body: "text" });
  const cancel = new Cancel();
  const derived = derive(request, { path: "/b", cancel });
  expect(derived).toMatchObject({ method: "POST", path: "/b", body: "text", authority: "reviews" });
  expect(derived.context).toBe(request.context);
  expect(derived.cancel).toBe(cancel);
  expect(request.path).toBe("/a");
  expect(request.cancel).not.toBe(cancel);
});

test("a body can be taken away, and an attempt stays", () => {
  const request = tryOf({ body: "text" });
  expect(derive(request, { body: null }).body).toBe(null);
  expect(derive(request, { path: "/b" }).attempt).toBe(request.attempt);
});

test("copied headers inherit nothing, and a header of any name is only a header", () => {
  const headers = JSON.parse('{"__proto__": "polluted", "constructor": "c", "x": ["1", "2"]}') as HeaderMap;
  const copy = copyHeaders(headers);
  for (const inherited of ["toString", "hasOwnProperty", "valueOf"]) expect(inherited in copy).toBe(false);
  expect(Object.entries(copy)).toEqual(Object.entries(headers));
  expect(Object.keys(copy)).toContain("__proto__");
  expect(({} as Record<string, unknown>).polluted).toBe(undefined);
  copy.x = "changed";
  expect(headers.x).toEqual(["1", "2"]);
  expect(copyHeaders({}).constructor).toBe(undefined);
});

test("the value of a header is its first", () => {
  expect(headerValue({ a: "1", b: ["2", "3"], c: [] }, "a")).toBe("1");
  expect(headerValue({ b: ["2", "3"] }, "b")).toBe("2");
  expect(headerValue({ c: [] }, "c")).toBe(undefined);
  expect(headerValue({}, "d")).toBe(undefined);
});

test("an answer of the mesh is complete and says its length in bytes", () => {
  const response = localResponse(410, "gön", { "x-a": "1" });
  expect(response.headers).toEqual({ "x-a": "1", "content-length": "4" });
  expect(response.body.hasEnded).toBe(true);
  let text = "";
  response.body.attach({ data: (chunk) => (text += Buffer.from(chunk)), end() {}, fail() {} });
  expect(text).toBe("gön");
  expect(localResponse(204, null).headers).toEqual({});
});
