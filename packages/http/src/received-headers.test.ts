import { expect, test } from "vitest";
import { receivedHeaders } from "./received-headers.ts";

test("are the very object that Node made where no field is repeated", () => {
  const headers = { host: "reviews", "x-team": "blue" };
  expect(receivedHeaders({ headers, rawHeaders: ["Host", "reviews", "X-Team", "blue"] })).toBe(headers);
});

test("hold each field of a name, those too that Node drops, and one text of cookies", () => {
  const headers = { host: "reviews", "x-team": "blue, red", authorization: "Bearer a", cookie: "a=1; b=2", "set-cookie": ["a", "b"] };
  const rawHeaders = [
    ...["Host", "reviews", "X-Team", "blue", "x-team", "red", "Authorization", "Bearer a", "authorization", "Bearer b"],
    ...["cookie", "a=1", "cookie", "b=2", "set-cookie", "a", "set-cookie", "b"],
  ];
  expect({ ...receivedHeaders({ headers, rawHeaders }) }).toEqual({
    ...headers,
    "x-team": ["blue", "red"],
    authorization: ["Bearer a", "Bearer b"],
  });
});

test("do not bring back what was taken from the message", () => {
  expect({ ...receivedHeaders({ headers: { host: "reviews" }, rawHeaders: ["host", "reviews", "x-team", "a", "x-team", "b"] }) }).toEqual({
    host: "reviews",
  });
});
