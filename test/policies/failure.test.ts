import { expect, test } from "vitest";
import { meshOf, ONE } from "./policy-mesh.ts";

const breaker = { consecutiveFailures: 2, failurePercent: "off" };

async function stateAfter(t: ReturnType<typeof meshOf>, url = "http://reviews/"): Promise<string | undefined> {
  for (let call = 0; call < 2; call++) {
    const reply = t.request(url);
    await t.advance("3s");
    await reply;
  }
  return t.mesh.inspect().backends[0]?.breaker;
}

test.each([
  [undefined, 429, "closed"],
  [undefined, 500, "open"],
  [{ statuses: ["5xx", 429] }, 429, "open"],
  [{ statuses: ["5xx", 429] }, 404, "closed"],
  [{ statuses: ["4xx"] }, 404, "open"],
  [{ statuses: ["4xx"] }, 500, "closed"],
  [{ slowerThan: "1s" }, 500, "open"],
])("with failure %j an answer of %i leaves the breaker %s", async (failure, status, state) => {
  await using t = meshOf({ breaker, outlier: "off", ...(failure ? { failure } : {}) });
  t.endpoint(ONE).respond({ status });
  expect(await stateAfter(t)).toBe(state);
});

test("an answer whose head took too long is a failure, a fast one is not", async () => {
  await using t = meshOf({ breaker, failure: { slowerThan: "2s" } });
  t.endpoint(ONE).latency("2s");
  expect(await stateAfter(t)).toBe("closed");
  t.endpoint(ONE).latency("2001ms");
  expect(await stateAfter(t)).toBe("open");
});

test("outlier detection and the endpoint's counters go by the same words", async () => {
  await using t = meshOf({
    endpoints: [{ address: ONE }, { address: "127.0.0.1:9082" }],
    outlier: { consecutiveFailures: 1 },
    failure: { statuses: [429] },
  });
  t.endpoint(ONE).respond({ status: 429 });
  for (let call = 0; call < 10; call++) await t.request("http://reviews/");
  const [one] = t.mesh.inspect().backends[0]?.endpoints ?? [];
  expect(one).toMatchObject({ state: "ejected", failures: 1 });
});

test("a subset has its own, and a broken connection is a failure whatever it says", async () => {
  const subsets = { v1: { labels: { v: "1" }, failure: { statuses: [418] }, breaker } };
  await using t = meshOf({
    endpoints: [{ address: ONE, labels: { v: "1" } }],
    subsets,
    breaker: "off",
    retry: "off",
    routes: [{ to: [{ subset: "v1" }] }],
  });
  t.endpoint(ONE).respond({ status: 418 });
  expect(await stateAfter(t)).toBe("open");
  await t.advance("10s");
  t.endpoint(ONE).restore().refuse();
  await expect(t.request("http://reviews/")).rejects.toMatchObject({ code: "connect_failed" });
  expect(t.mesh.inspect().backends.find(({ name }) => name === "reviews/v1")?.breaker).toBe("open");
});
