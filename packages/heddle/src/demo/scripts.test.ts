import { expect, test } from "vitest";
import { findFrameworks, onNodeHttp, scriptOf } from "./scripts.ts";

test("services run on the frameworks that are installed", () => {
  const frameworks = findFrameworks(() => "file:///somewhere");
  expect([scriptOf("reviews", frameworks), scriptOf("catalog", frameworks), scriptOf("catalog-next", frameworks)]).toEqual([
    "reviews-express",
    "catalog-fastify",
    "catalog-fastify",
  ]);
  expect(onNodeHttp(frameworks)).toEqual([]);
});

test("without a framework the same service runs on node:http, and it is said", () => {
  const frameworks = findFrameworks((name) => {
    if (name === "fastify") throw new Error("Cannot find package");
  });
  expect([scriptOf("reviews", frameworks), scriptOf("catalog", frameworks)]).toEqual(["reviews-express", "catalog"]);
  expect(onNodeHttp(frameworks)).toEqual(["fastify is not installed here: catalog runs on node:http instead"]);
});
