import { expect, test } from "vitest";
import { findFrameworks, onNodeHttp, scriptOf } from "./scripts.ts";

test("services run on the frameworks that are installed", () => {
  const frameworks = findFrameworks(() => "file:///somewhere");
  expect((["reviews", "catalog", "catalog-next", "ratings"] as const).map((service) => scriptOf(service, frameworks))).toEqual([
    "reviews-express",
    "catalog-fastify",
    "catalog-fastify",
    "ratings-grpc",
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

test.each(["@heddle/grpc", "@grpc/grpc-js"])("without %s ratings speak HTTP, and it is said", (missing) => {
  const frameworks = findFrameworks((name) => {
    if (name === missing) throw new Error("Cannot find package");
  });
  expect(scriptOf("ratings", frameworks)).toBe("ratings");
  expect(onNodeHttp(frameworks)).toEqual([expect.stringMatching(/^gRPC is not installed here: ratings run on node:http instead/)]);
});
