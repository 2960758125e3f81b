import { expect, test } from "vitest";
import { document, meshOf, ONE, outcomes, SHADOW } from "./policy-mesh.ts";

const shadow = { shadow: { endpoints: [{ address: SHADOW }] } };
const mirrored = (mirror: object = { service: "shadow" }, more: object = {}) => meshOf({ mirror, ...more }, shadow);

test("a copy with method, path, headers and body goes to the mirror; its answer is nobody's", async () => {
  await using t = mirrored();
  t.endpoint(SHADOW).respond({ status: 500 });
  const reply = await t.request("http://reviews/api?q=1", { body: "hello", headers: { "x-user": "jason" } });
  await t.advance(0);
  expect(reply.status).toBe(200);
  expect(t.endpoint(SHADOW).requests).toMatchObject([{ method: "POST", path: "/api?q=1", authority: "reviews" }]);
  expect(t.endpoint(SHADOW).requests[0]?.text()).toBe("hello");
  expect(t.endpoint(SHADOW).requests[0]?.headers["x-user"]).toBe("jason");
});

test("a mirror that hangs or fails neither delays nor fails the request, and is given up", async () => {
  await using t = mirrored();
  t.endpoint(SHADOW).hang();
  expect((await t.request("http://reviews/")).status).toBe(200);
  await t.advance("10s");
  expect(outcomes(t, "mirror:shadow")).toEqual({ deadline_exceeded: 1 });
  t.endpoint(SHADOW).refuse();
  expect((await t.request("http://reviews/")).status).toBe(200);
  await t.advance("1s");
  expect(outcomes(t, "mirror:shadow")).toEqual({ deadline_exceeded: 1, connect_failed: 1 });
});

test("copies are counted apart, so that the counters of the services stay those of their callers", async () => {
  await using t = mirrored();
  t.endpoint(SHADOW).respond({ status: 500 });
  for (let call = 0; call < 3; call++) await t.request("http://reviews/");
  await t.request("http://shadow/");
  await t.advance(0);
  expect(outcomes(t, "reviews")).toEqual({ 200: 3 });
  expect(outcomes(t, "shadow")).toEqual({ 500: 1 });
  expect(outcomes(t, "mirror:shadow")).toEqual({ 500: 3 });
});

test("a copy is tried once, and outlives the caller", async () => {
  await using t = mirrored({ service: "shadow" }, { retry: {} });
  t.endpoint(SHADOW).respond({ status: 503 });
  t.endpoint(ONE).latency("100ms");
  const controller = new AbortController();
  const reply = t.request("http://reviews/", { signal: controller.signal });
  controller.abort(new Error("left"));
  await expect(reply).rejects.toThrow("left");
  await t.advance("5s");
  expect(t.endpoint(SHADOW).requests).toHaveLength(1);
});

test("limits and breaker of the mirror's backend hold for copies", async () => {
  const limited = { shadow: { endpoints: [{ address: SHADOW }], breaker: { consecutiveFailures: 2 } } };
  await using t = meshOf({ mirror: { service: "shadow" } }, limited);
  t.endpoint(SHADOW).respond({ status: 500 });
  for (let call = 0; call < 5; call++) {
    await t.request("http://reviews/");
    await t.advance(0);
  }
  expect(t.endpoint(SHADOW).requests).toHaveLength(2);
  expect(outcomes(t, "mirror:shadow")).toEqual({ 500: 2, breaker_open: 3 });
});

async function* stream(chunks: readonly string[]): AsyncGenerator<string> {
  for (const chunk of chunks) yield chunk;
}

test("a stream is mirrored once it was read to its end, if it is short", async () => {
  await using t = mirrored();
  await t.request("http://reviews/", { body: stream(["a", "b", "c"]) });
  await t.advance(0);
  expect(t.endpoint(ONE).requests[0]?.text()).toBe("abc");
  expect(t.endpoint(SHADOW).requests.map((request) => request.text())).toEqual(["abc"]);
});

test("a stream over 64 KiB reaches the primary whole, is not mirrored, and that is counted", async () => {
  await using t = mirrored();
  const big = "x".repeat(40_000);
  await t.request("http://reviews/", { body: stream([big, big]) });
  await t.advance(0);
  expect(t.endpoint(ONE).requests[0]?.body.length).toBe(80_000);
  expect(t.endpoint(SHADOW).requests).toEqual([]);
  expect(outcomes(t, "mirror:shadow")).toEqual({ not_mirrored: 1 });
});

test("several mirrors are sampled each on its own, and get the request as it was rewritten", async () => {
  await using t = meshOf(
    {
      routes: [
        {
          match: { path: { prefix: "/api" } },
          rewrite: { prefix: "/v2" },
          mirror: [
            { service: "shadow", percent: 50 },
            { service: "other", percent: 0 },
          ],
        },
      ],
    },
    shadow,
  );
  for (let call = 0; call < 200; call++) await t.request("http://reviews/api/7");
  await t.advance(0);
  const { requests } = t.endpoint(SHADOW);
  expect(requests.length).toBeGreaterThan(60);
  expect(requests.length).toBeLessThan(140);
  expect(requests[0]?.path).toBe("/v2/7");
  expect(outcomes(t, "mirror:other")).toEqual({});
});

test("a change of the mirror's backend alone takes effect", async () => {
  await using t = mirrored();
  t.endpoint(SHADOW).hang();
  await t.request("http://reviews/");
  t.update(document({ mirror: { service: "shadow" } }, { shadow: { ...shadow.shadow, limits: { maxRequests: 1 } } }));
  await t.request("http://reviews/");
  await t.request("http://reviews/");
  await t.advance(0);
  expect(outcomes(t, "mirror:shadow")).toEqual({ overloaded: 1 });
});

test("what is in force for a service names the backends that its requests and their copies go to", async () => {
  await using t = meshOf({ mirror: { service: "shadow" }, fallback: { on: ["5xx"], service: "other" } }, shadow);
  expect(t.describe("reviews").backends.map(({ name }) => name)).toEqual(["reviews", "other", "shadow"]);
  const { decision } = t.explain({ url: "http://reviews/" });
  expect(decision).toMatchObject({
    mirrors: ["100% to shadow"],
    fallback: "on 5xx: asks other",
    policyFrom: { mirror: "document (services.reviews.mirror)", fallback: "document (services.reviews.fallback)" },
  });
});
