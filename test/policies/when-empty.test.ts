import { expect, test } from "vitest";
import { document, meshOf, ONE } from "./policy-mesh.ts";

const EMPTY = { endpoints: [], whenEmpty: { wait: "2s" } };
const FILLED = { endpoints: [{ address: ONE }], whenEmpty: { wait: "2s" } };

test("a request waits for the first endpoint and goes there at once", async () => {
  await using t = meshOf(EMPTY);
  const reply = t.request("http://reviews/");
  await t.advance("1500ms");
  t.update(document(FILLED));
  expect((await reply).status).toBe(200);
  expect(t.endpoint(ONE).requests[0]?.at).toBe(1_500);
});

test("when the wait is over the error says who gives none, and since when", async () => {
  await using t = meshOf(FILLED);
  await t.request("http://reviews/");
  await t.advance("5s");
  t.update(document(EMPTY));
  const since = new Date(t.clock.wallTime()).toISOString();
  await t.advance("3s");
  const reply = t.request("http://reviews/");
  reply.catch(() => undefined);
  await t.advance("2s");
  const because = `document gives it no endpoint (since ${since}); waited 2s for one`;
  await expect(reply).rejects.toMatchObject({ code: "no_endpoint", message: expect.stringContaining(because) });
});

test("without a wait it fails at once, saying the same", async () => {
  await using t = meshOf({ endpoints: [] });
  await expect(t.request("http://reviews/")).rejects.toMatchObject({
    code: "no_endpoint",
    message: expect.stringMatching(/gives it no endpoint \(since \d{4}-/),
  });
});

test("the deadline and the caller end the wait, and neither is held against the service", async () => {
  await using t = meshOf({ ...EMPTY, timeout: "1s", breaker: { consecutiveFailures: 1 } });
  const late = t.request("http://reviews/");
  late.catch(() => undefined);
  await t.advance("1s");
  await expect(late).rejects.toMatchObject({ code: "deadline_exceeded" });
  expect(t.attempts().map(({ outcome }) => outcome)).toEqual(["no-endpoint"]);
  const controller = new AbortController();
  const left = t.request("http://reviews/", { signal: controller.signal });
  controller.abort(new Error("left"));
  await expect(left).rejects.toThrow("left");
  expect(t.mesh.inspect().backends[0]?.breaker).toBe("closed");
});

test("the wait is not part of a try's time", async () => {
  await using t = meshOf({ ...EMPTY, retry: { perTryTimeout: "100ms" } });
  const reply = t.request("http://reviews/");
  await t.advance("1s");
  t.update(document({ ...FILLED, retry: { perTryTimeout: "100ms" } }));
  expect((await reply).status).toBe(200);
  expect(t.attempts()).toHaveLength(1);
});

test("a service that leaves the configuration ends the wait", async () => {
  await using t = meshOf(EMPTY);
  const reply = t.request("http://reviews/");
  reply.catch(() => undefined);
  await t.advance("1s");
  t.update({ apiVersion: "heddle/v1", services: {} });
  await expect(reply).rejects.toMatchObject({ code: "no_endpoint" });
});
