import { expect, test } from "vitest";
import { meshOf, ONE } from "./policy-mesh.ts";

test("a delay holds the request back, and uses up its deadline", async () => {
  await using t = meshOf({ fault: { delay: { duration: "200ms" } } });
  const slow = t.request("http://reviews/");
  await t.advance("199ms");
  expect(t.endpoint(ONE).requests).toHaveLength(0);
  await t.advance("1ms");
  expect((await slow).status).toBe(200);
  const late = t.request("http://reviews/", { mesh: { timeout: "100ms" } });
  late.catch(() => undefined);
  await t.advance("100ms");
  await expect(late).rejects.toMatchObject({ code: "deadline_exceeded" });
});

test("an abort answers after the delay, asks no endpoint and is not retried", async () => {
  await using t = meshOf({ retry: {}, fault: { delay: { duration: "50ms" }, abort: { status: 503 } } });
  const reply = t.request("http://reviews/");
  await t.advance("50ms");
  expect((await reply).status).toBe(503);
  expect((await reply).headers["x-heddle-fault"]).toBe("abort");
  expect(t.attempts()).toEqual([]);
  await t.advance("5s");
  expect(t.endpoint(ONE).requests).toHaveLength(0);
});

test("closing waits for a request that is held back, and cuts it at its limit", async () => {
  for (const { limit, outcome } of [
    { limit: "1s", outcome: "200" },
    { limit: "50ms", outcome: "closed" },
  ]) {
    const t = meshOf({ fault: { delay: { duration: "200ms" } } });
    const reply = t.request("http://reviews/").then(
      ({ status }) => `${status}`,
      ({ code }) => code,
    );
    const closed = t.mesh.close({ limit });
    await t.advance(limit);
    await closed;
    expect([limit, await reply, t.clock.pendingTimers]).toEqual([limit, outcome, 0]);
  }
});

test("a share of requests is hit, fractions of a percent too", async () => {
  await using t = meshOf({ fault: { abort: { percent: 12.5, status: 500 } } });
  let hit = 0;
  for (let call = 0; call < 2_000; call++) if ((await t.request("http://reviews/")).status === 500) hit++;
  expect(hit / 2_000).toBeGreaterThan(0.1);
  expect(hit / 2_000).toBeLessThan(0.15);
});

test("a request chooses its own faults only where the document allows it, and within bounds", async () => {
  await using t = meshOf({ fault: { headers: true } });
  const headers = { "x-envoy-fault-delay-request": "999999", "x-envoy-fault-abort-request": "418" };
  const reply = t.request("http://reviews/", { headers });
  await t.advance("60s");
  expect((await reply).status).toBe(418);
  expect((await t.request("http://reviews/", { headers: { "x-envoy-fault-abort-request": "99" } })).status).toBe(200);
  expect((await t.request("http://reviews/")).status).toBe(200);
  await using deaf = meshOf({ fault: { abort: { percent: 0, status: 500 } } });
  expect((await deaf.request("http://reviews/", { headers })).status).toBe(200);
});
