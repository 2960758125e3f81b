import { expect, test } from "vitest";
import { meshOf, ONE, OTHER, outcomes } from "./policy-mesh.ts";

const EMPTY = { status: 200, json: [] };

test.each([
  ["no-endpoint", { endpoints: [] }, () => undefined, "no_endpoint"],
  ["connect-failure", { retry: "off" }, (t: ReturnType<typeof meshOf>) => t.endpoint(ONE).refuse(), "connect_failed"],
  ["reset", { retry: "off" }, (t: ReturnType<typeof meshOf>) => t.endpoint(ONE).reset(), "connection_reset"],
  ["deadline", { timeout: "1s" }, (t: ReturnType<typeof meshOf>) => t.endpoint(ONE).hang(), "deadline_exceeded"],
  [
    "attempt-timeout",
    { retry: { maxRetries: 0, perTryTimeout: "1s" } },
    (t: ReturnType<typeof meshOf>) => t.endpoint(ONE).hang(),
    "attempt_timeout",
  ],
  [502, {}, (t: ReturnType<typeof meshOf>) => t.endpoint(ONE).respond({ status: 502 }), "502"],
  ["5xx", {}, (t: ReturnType<typeof meshOf>) => t.endpoint(ONE).respond({ status: 599 }), "599"],
  ["5xx", { retry: "off" }, (t: ReturnType<typeof meshOf>) => t.endpoint(ONE).reset(), "connection_reset"],
])("on %s the answer is the fallback's, and what it stands in for is counted and reported", async (on, service, script, outcome) => {
  await using t = meshOf({ ...service, fallback: { on: [on], respond: EMPTY } });
  script(t);
  const reply = t.request("http://reviews/");
  await t.advance("1s");
  expect((await reply).status).toBe(200);
  expect(await (await reply).json()).toEqual([]);
  expect(t.report(await reply)?.fallbackFor).toBe(outcome);
  expect(outcomes(t, "reviews")).toEqual({ [outcome]: 1 });
});

test("an open breaker and a full service are answered too", async () => {
  await using t = meshOf({ breaker: { consecutiveFailures: 1 }, fallback: { on: ["breaker-open"], respond: EMPTY } });
  t.endpoint(ONE).respond({ status: 500 });
  expect((await t.request("http://reviews/")).status).toBe(500);
  expect((await t.request("http://reviews/")).status).toBe(200);
  expect(outcomes(t, "reviews")).toEqual({ 500: 1, breaker_open: 1 });
  await using full = meshOf({ limits: { maxRequests: 1 }, fallback: { on: ["overloaded"], respond: EMPTY } });
  full.endpoint(ONE).hang();
  full.request("http://reviews/").catch(() => undefined);
  expect((await full.request("http://reviews/")).status).toBe(200);
});

test("what it does not name passes, and so does the caller's own reason", async () => {
  await using t = meshOf({ retry: "off", fallback: { on: ["breaker-open", 502], respond: EMPTY } });
  t.endpoint(ONE).refuse();
  await expect(t.request("http://reviews/")).rejects.toMatchObject({ code: "connect_failed" });
  t.endpoint(ONE).restore().respond({ status: 503 });
  expect((await t.request("http://reviews/")).status).toBe(503);
  t.endpoint(ONE).restore().hang();
  const controller = new AbortController();
  const reply = t.request("http://reviews/", { signal: controller.signal });
  const reason = new Error("left");
  controller.abort(reason);
  await expect(reply).rejects.toBe(reason);
});

test("it comes after the retries, and only after them", async () => {
  await using t = meshOf({ retry: { maxRetries: 1, on: [503] }, fallback: { on: [503], respond: EMPTY } });
  t.endpoint(ONE).respond({ status: 503 });
  const reply = t.request("http://reviews/");
  await t.advance("1s");
  expect((await reply).status).toBe(200);
  expect(t.endpoint(ONE).requests).toHaveLength(2);
});

const OTHER_ON = (on: readonly (string | number)[], more: object = {}) => ({ retry: "off", fallback: { on, service: "other" }, ...more });

test("another service answers in place, its try is in the report", async () => {
  await using t = meshOf(OTHER_ON(["connect-failure", 503]));
  t.endpoint(ONE).refuse();
  t.endpoint(OTHER).respond({ json: { from: "other" } });
  const reply = await t.request("http://reviews/api", { json: { a: 1 } });
  expect(await reply.json()).toEqual({ from: "other" });
  expect(t.endpoint(OTHER).requests[0]?.json()).toEqual({ a: 1 });
  expect(t.report(reply)?.attempts.map(({ endpoint, outcome }) => [endpoint, outcome])).toEqual([
    [ONE, "connect-failure"],
    [OTHER, "200"],
  ]);
  expect(outcomes(t, "reviews")).toEqual({ connect_failed: 1 });
});

test("what may have been acted on is not sent to another service, unless repeating it is safe", async () => {
  await using t = meshOf(OTHER_ON(["reset", 503]));
  t.endpoint(ONE).respond({ status: 503 });
  expect((await t.request("http://reviews/", { method: "POST", body: "x" })).status).toBe(503);
  expect((await t.request("http://reviews/", { method: "POST", body: "x", mesh: { idempotent: true } })).status).toBe(200);
  expect((await t.request("http://reviews/")).status).toBe(200);
  t.endpoint(ONE).restore().reset();
  await expect(t.request("http://reviews/", { method: "POST", body: "x" })).rejects.toMatchObject({ code: "connection_reset" });
  expect(t.endpoint(OTHER).requests).toHaveLength(2);
});

test("a stream that was begun is not sent again; one that was not is", async () => {
  async function* body() {
    yield "a";
  }
  await using t = meshOf(OTHER_ON([503]));
  t.endpoint(ONE).respond({ status: 503 });
  expect((await t.request("http://reviews/", { method: "PUT", body: body() })).status).toBe(503);
  await using empty = meshOf(OTHER_ON(["no-endpoint"], { endpoints: [] }));
  expect((await empty.request("http://reviews/", { method: "POST", body: body() })).status).toBe(200);
  expect(empty.endpoint(OTHER).requests[0]?.text()).toBe("a");
});

test("if the other service fails too the first failure is the caller's, within the one deadline", async () => {
  await using t = meshOf(OTHER_ON([503], { timeout: "1s" }));
  t.endpoint(ONE).respond({ status: 503, body: "first" });
  t.endpoint(OTHER).refuse();
  const reply = await t.request("http://reviews/");
  expect(reply.status).toBe(503);
  expect(await reply.text()).toBe("first");
  expect(t.report(reply)?.fallbackFor).toBeUndefined();
  t.endpoint(ONE).restore().refuse();
  t.endpoint(OTHER).restore().hang();
  await using late = meshOf(OTHER_ON(["connect-failure"], { timeout: "1s" }));
  late.endpoint(ONE).refuse();
  late.endpoint(OTHER).hang();
  const second = late.request("http://reviews/");
  second.catch(() => undefined);
  await late.advance("1s");
  await expect(second).rejects.toMatchObject({ code: "connect_failed" });
});
