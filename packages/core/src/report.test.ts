import { expect, test } from "vitest";
import { requestOf } from "../test/builders.ts";
import { Attempt } from "./context.ts";
import { MeshError } from "./errors.ts";
import { failureReport, reportOf } from "./report.ts";

function withTries() {
  const request = requestOf({
    options: { tags: { lane: "pr-41", who: "call" } },
    scope: { trace: null, tags: { who: "scope", tenant: "t" }, deadlineAt: Number.POSITIVE_INFINITY, isRetry: false },
  });
  const { context } = request;
  context.route = "canary";
  context.backend = "reviews/v2";
  context.policyFrom = "mesh.yaml:12:5";
  const one = new Attempt(1, 0);
  Object.assign(one, { endpoint: "a:1", outcome: "reset", elapsedMs: 1.23456, why: "retried" });
  const two = new Attempt(2, 5);
  Object.assign(two, { endpoint: "b:1", outcome: "response", status: 503, elapsedMs: 2 });
  context.attempts.push(one, two);
  return request;
}

test("says where the call went, how each try ended, and why", () => {
  const request = withTries();
  request.context.service = "reviews";
  expect(reportOf(request.context)).toEqual({
    service: "reviews",
    route: "canary",
    backend: "reviews/v2",
    endpoint: "b:1",
    attempts: [
      { endpoint: "a:1", outcome: "reset", ms: 1.235, why: "retried" },
      { endpoint: "b:1", outcome: "503", ms: 2, why: "" },
    ],
    policyFrom: "mesh.yaml:12:5",
    tags: { lane: "pr-41", who: "call", tenant: "t" },
  });
});

test("a call without a try has an empty endpoint", () => {
  expect(reportOf(requestOf().context)).toMatchObject({ endpoint: "", attempts: [], tags: {} });
});

test("a failure leaves with its report, and its message names service, route, and each endpoint with its outcome", async () => {
  const error = new MeshError("connection_reset", "GET http://reviews/: connection broken");
  const failed = failureReport("reviews")(() => Promise.reject(error))(withTries());
  await expect(failed).rejects.toBe(error);
  expect(error.report).toMatchObject({ service: "reviews", route: "canary", endpoint: "b:1" });
  expect(error.message).toBe("GET http://reviews/: connection broken (service reviews, route canary; tried a:1: reset, b:1: 503)");
});

test("a try that came to no endpoint is in the report, and not among the endpoints that the message names", async () => {
  const request = requestOf();
  const only = new Attempt(1, 0);
  only.outcome = "no-endpoint";
  request.context.attempts.push(only);
  const error = new MeshError("no_endpoint", "GET http://reviews/: reviews: nothing");
  await expect(failureReport("reviews")(() => Promise.reject(error))(request)).rejects.toBe(error);
  expect(error.message).toBe("GET http://reviews/: reviews: nothing (service reviews)");
  expect(error.report?.attempts).toEqual([{ endpoint: "", outcome: "no-endpoint", ms: 0, why: "" }]);
});

test("a failure that has a report already, and one that is not the mesh's, pass unchanged", async () => {
  const inner = new MeshError("closed", "inner");
  inner.report = reportOf(requestOf().context);
  await expect(failureReport("reviews")(() => Promise.reject(inner))(withTries())).rejects.toBe(inner);
  expect(inner.message).toBe("inner");
  const reason = { any: "value" };
  await expect(failureReport("reviews")(() => Promise.reject(reason))(withTries())).rejects.toBe(reason);
  expect(reason).toEqual({ any: "value" });
});
