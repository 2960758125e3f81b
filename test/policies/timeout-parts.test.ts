import { expect, test } from "vitest";
import { meshOf, ONE } from "./policy-mesh.ts";

const pause = (t: ReturnType<typeof meshOf>, ms: number) => new Promise<void>((resolve) => t.clock.setTimer(ms, resolve));

async function* ticking(t: ReturnType<typeof meshOf>, everyMs: number, count: number): AsyncGenerator<string> {
  for (let tick = 0; tick < count; tick++) {
    await pause(t, everyMs);
    yield `data: ${tick}\n\n`;
  }
}

const EVENTS = { "content-type": "text/event-stream; charset=utf-8" };

test("a duration alone bounds a finite answer until its last byte", async () => {
  await using t = meshOf({ timeout: "2s" });
  t.endpoint(ONE).respond({ body: ticking(t, 1_500, 2) });
  const text = (await t.request("http://reviews/")).text();
  text.catch(() => undefined);
  await t.advance("2s");
  await expect(text).rejects.toMatchObject({
    code: "deadline_exceeded",
    message: expect.stringContaining("no complete response within 2s"),
  });
});

test("a duration alone bounds an event stream until its head only", async () => {
  await using t = meshOf({ timeout: "2s" });
  t.endpoint(ONE).respond({ headers: EVENTS, body: ticking(t, 1_500, 4) });
  const text = (await t.request("http://reviews/")).text();
  await t.advance("10s");
  expect(await text).toContain("data: 3");
  t.endpoint(ONE).restore().hang();
  const headless = t.request("http://reviews/");
  headless.catch(() => undefined);
  await t.advance("2s");
  await expect(headless).rejects.toMatchObject({ code: "deadline_exceeded" });
});

test("a total written as such holds for event streams too", async () => {
  await using t = meshOf({ timeout: { total: "2s" } });
  t.endpoint(ONE).respond({ headers: EVENTS, body: ticking(t, 1_500, 4) });
  const text = (await t.request("http://reviews/")).text();
  text.catch(() => undefined);
  await t.advance("2s");
  await expect(text).rejects.toMatchObject({ code: "deadline_exceeded" });
});

test("the call's own timeout bounds finite answers beside the route's, and spares streams as well", async () => {
  await using t = meshOf({ timeout: { total: "10s" } });
  t.endpoint(ONE)
    .respond({ body: ticking(t, 400, 2) })
    .times(1)
    .respond({ headers: EVENTS, body: ticking(t, 400, 2) });
  const finite = (await t.request("http://reviews/", { mesh: { timeout: "500ms" } })).text();
  finite.catch(() => undefined);
  await t.advance("500ms");
  await expect(finite).rejects.toMatchObject({ code: "deadline_exceeded" });
  const stream = (await t.request("http://reviews/", { mesh: { timeout: "500ms" } })).text();
  await t.advance("1s");
  expect(await stream).toContain("data: 1");
});

test("head bounds all tries until the head, and nothing after it", async () => {
  await using t = meshOf({ timeout: { head: "1s" }, retry: { on: ["reset"], perTryTimeout: "700ms", backoff: { base: 1, max: 1 } } });
  t.endpoint(ONE).hang();
  const reply = t.request("http://reviews/");
  reply.catch(() => undefined);
  await t.advance("999ms");
  expect(t.attempts()).toHaveLength(2);
  await t.advance("1ms");
  await expect(reply).rejects.toMatchObject({
    code: "deadline_exceeded",
    message: expect.stringContaining("no response head within 1s"),
  });
  t.endpoint(ONE)
    .restore()
    .respond({ body: ticking(t, 5_000, 2) });
  const text = (await t.request("http://reviews/")).text();
  await t.advance("10s");
  expect(await text).toContain("data: 1");
});

test("no retry is begun for which the time until the head does not suffice", async () => {
  await using t = meshOf({ timeout: { head: "1s" }, retry: { backoff: { base: "1s", max: "1s" }, retryAfter: { max: "5s" } } });
  t.endpoint(ONE).respond({ status: 503, headers: { "retry-after": "2" } });
  const reply = await t.request("http://reviews/");
  expect(reply.status).toBe(503);
  expect(t.report(reply)?.attempts[0]?.why).toBe("no time left for another try");
});

test("idle is the time since the last byte, and says so", async () => {
  await using t = meshOf({ timeout: { idle: "1s" } });
  t.endpoint(ONE).respond({ body: ticking(t, 900, 5) });
  const steady = (await t.request("http://reviews/")).text();
  await t.advance("4500ms");
  expect(await steady).toContain("data: 4");
  async function* stalls() {
    yield* ticking(t, 900, 2);
    await pause(t, 5_000);
  }
  t.endpoint(ONE).restore().respond({ body: stalls() });
  const stalled = (await t.request("http://reviews/")).text();
  let failed = "";
  stalled.catch((error: Error) => {
    failed = error.message;
  });
  await t.advance("2799ms");
  expect(failed).toBe("");
  await t.advance("1ms");
  expect(failed).toContain("no byte of the response body for 1s");
  expect(t.attempts().at(-1)?.outcome).toBe("deadline");
});

test("a slow reader's pauses are not the server's", async () => {
  await using t = meshOf({ timeout: { idle: "1s" } });
  const chunk = "x".repeat(64 * 1024);
  async function* much() {
    for (let part = 0; part < 8; part++) yield chunk;
    await pause(t, 900);
    yield "end";
  }
  t.endpoint(ONE).respond({ body: much() });
  const reader = (await t.request("http://reviews/")).stream().getReader();
  await t.advance("20s");
  let bytes = 0;
  const rest = (async () => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) bytes += part.value.length;
  })();
  await t.advance("900ms");
  await rest;
  expect(bytes).toBe(8 * chunk.length + 3);
});
