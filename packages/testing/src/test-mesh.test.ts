import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { meshError } from "@heddle/core";
import express from "express";
import { expect, onTestFinished, test } from "vitest";
import { serviceSnapshot } from "./builders.ts";
import { fakeSource } from "./fake-source.ts";
import { testMesh } from "./test-mesh.ts";

const ONE = "127.0.0.1:9081";
const OTHER = "127.0.0.1:9082";

function document(service: object = {}, more: object = {}) {
  return {
    apiVersion: "heddle/v1",
    services: {
      reviews: { endpoints: [{ address: ONE }, { address: OTHER }], balancer: { policy: "round-robin" }, ...service },
      web: {},
      ...more,
    },
  };
}

const RETRIED = document({ routes: [{ name: "all", to: [{ service: "reviews" }], retry: {} }] });

test("an unscripted endpoint answers 200 {}", async () => {
  await using t = testMesh({ config: document() });
  const response = await t.fetch("http://reviews/api/7");
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({});
  expect(response.url).toBe("http://reviews/api/7");
});

test("a failure is retried elsewhere after its backoff, in virtual time", async () => {
  await using t = testMesh({ config: RETRIED, seed: 1 });
  t.endpoint(ONE).respond({ status: 503 });
  t.endpoint(OTHER).respond({ json: { ok: true } });
  const replies = Promise.all([t.fetch("http://reviews/api/7"), t.fetch("http://reviews/api/8")]);
  await t.advance("1s");
  expect((await replies).map((reply) => reply.status)).toEqual([200, 200]);
  const failed = t.attempts("reviews").filter((attempt) => attempt.outcome === "503");
  expect(failed.map((attempt) => attempt.endpoint)).toEqual([ONE]);
  expect(t.attempts("reviews").filter((attempt) => attempt.outcome === "200")).toHaveLength(2);
});

test("the same seed tells the same story", async () => {
  const story = async () => {
    await using t = testMesh({ config: RETRIED, seed: 7 });
    for (const address of [ONE, OTHER]) t.endpoint(address).latency({ min: "1ms", max: "90ms" }).respond({ status: 503 }).times(2);
    const replies = Array.from({ length: 6 }, (_, index) => t.fetch(`http://reviews/${index}`));
    await t.advance("5s");
    await Promise.all(replies);
    return t.timeline("reviews");
  };
  const first = await story();
  expect(first).toContain("503");
  expect(await story()).toBe(first);
});

test("the timeline tells each call with its tries", async () => {
  await using t = testMesh({ config: document() });
  for (const address of [ONE, OTHER]) t.endpoint(address).latency("20ms").respond({ status: 418 });
  const first = t.request("http://reviews/a");
  await t.advance("20ms");
  await (await first).text();
  for (const address of [ONE, OTHER]) t.endpoint(address).hang();
  const second = t.request("http://reviews/b", { json: { a: 1 }, mesh: { timeout: "50ms" } });
  second.catch(() => undefined);
  expect(t.timeline()).toContain("20ms POST http://reviews/b: pending");
  await t.advance("50ms");
  await expect(second).rejects.toMatchObject({ code: "deadline_exceeded" });
  const lines = t.timeline("reviews").split("\n");
  const statuses = lines.map((line) => line.replace(/(after \S+), .*/, "$1"));
  const [one, other] = t.attempts().map((attempt) => attempt.endpoint);
  expect(new Set([one, other])).toEqual(new Set([ONE, OTHER]));
  expect(statuses).toEqual([
    "0ms GET http://reviews/a: 418 after 20ms",
    `  0ms ${one}: 418 after 20ms`,
    "20ms POST http://reviews/b: deadline_exceeded after 50ms",
    `  20ms ${other}: deadline after 50ms`,
  ]);
});

test("a host that no service claims is an error", async () => {
  await using t = testMesh({ config: document() });
  await expect(t.request("http://stranger/")).rejects.toMatchObject({ code: "unknown_service" });
  const failure = await t.fetch("http://stranger/").catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(TypeError);
  expect(meshError(failure)?.code).toBe("unknown_service");
});

test("fetch rejects with the reason of its signal as it is, before and during the call", async () => {
  await using t = testMesh({ config: document() });
  for (const address of [ONE, OTHER]) t.endpoint(address).hang();
  const reason = new Error("not needed any more");
  await expect(t.fetch("http://reviews/", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const controller = new AbortController();
  const response = t.fetch("http://reviews/", { signal: controller.signal });
  await t.advance(1);
  controller.abort(reason);
  await expect(response).rejects.toBe(reason);
});

test("fetch sends method, headers and body, and a string body can be sent again", async () => {
  await using t = testMesh({
    config: document({ routes: [{ name: "all", to: [{ service: "reviews" }], retry: { methods: ["POST"] } }] }),
  });
  for (const address of [ONE, OTHER]) t.endpoint(address).respond({ status: 503 }).times(1);
  const reply = t.fetch("http://reviews/api", {
    method: "POST",
    body: '{"a":1}',
    headers: { "x-user": "jason", "content-type": "application/json" },
  });
  await t.advance("1s");
  await reply;
  const received = [...t.endpoint(ONE).requests, ...t.endpoint(OTHER).requests];
  expect(received.length).toBeGreaterThan(1);
  for (const request of received) {
    expect(request.json()).toEqual({ a: 1 });
    expect(request.headers["x-user"]).toBe("jason");
  }
});

test("a streamed body breaks as fetch's does", async () => {
  await using t = testMesh({ config: document() });
  for (const address of [ONE, OTHER]) t.endpoint(address).reset({ after: "body" });
  const response = await t.fetch("http://reviews/");
  await expect(response.text()).rejects.toThrow("terminated");
});

test("request gives text, json, bytes, a stream and trailers", async () => {
  await using t = testMesh({ config: document() });
  for (const address of [ONE, OTHER]) t.endpoint(address).respond({ json: { a: 1 }, trailers: { "x-checksum": "7" } });
  const replies = await Promise.all([1, 2, 3, 4].map(() => t.request("http://reviews/")));
  const [text, json, bytes, stream] = replies;
  expect(await text?.text()).toBe('{"a":1}');
  expect(await json?.json()).toEqual({ a: 1 });
  expect(Buffer.from((await bytes?.bytes()) ?? []).toString()).toBe('{"a":1}');
  expect(await new Response(stream?.stream()).text()).toBe('{"a":1}');
  expect(await text?.trailers).toMatchObject({ "x-checksum": "7" });
});

test("a configuration is changed mid-flight", async () => {
  await using t = testMesh({ config: document() });
  t.endpoint(ONE).latency("100ms");
  t.endpoint(OTHER).latency("100ms");
  const before = t.fetch("http://reviews/");
  await t.advance("50ms");
  t.update(document({ endpoints: [{ address: "127.0.0.1:9083" }] }));
  const after = await t.fetch("http://reviews/");
  expect(after.status).toBe(200);
  await t.advance("50ms");
  expect((await before).status).toBe(200);
  expect(t.endpoint("127.0.0.1:9083").requests).toHaveLength(1);
});

test("a bad update throws every mistake, and what was in force stays", async () => {
  await using t = testMesh({ config: document() });
  const bad = document({ balancer: { policy: "fastest" }, routs: [] });
  expect(() => t.update(bad)).toThrow(/policy[\s\S]*routs|routs[\s\S]*policy/);
  expect((await t.fetch("http://reviews/")).status).toBe(200);
  t.update(document());
});

test("a bad update throws every mistake however often it is made", async () => {
  await using t = testMesh({ config: document() });
  const [typo, worse] = [document({ endpoint: [] }), document({ endpoint: [], timeout: "soon" })];
  for (const bad of [typo, typo, worse, typo]) {
    expect(() => t.update(bad)).toThrow(expect.objectContaining({ code: "invalid_config", message: expect.stringContaining("endpoint") }));
  }
  const dangling = { ...serviceSnapshot("reviews", [ONE]), backends: new Map() };
  for (const bad of [dangling, dangling]) expect(() => t.update(bad)).toThrow(expect.objectContaining({ code: "invalid_config" }));
  t.update(document());
  expect((await t.fetch("http://reviews/api/7")).status).toBe(200);
});

test("a bad document throws every mistake at construction", () => {
  const bad = document({ balancer: { policy: "fastest" }, routs: [] });
  const failure = (() => {
    try {
      testMesh({ config: bad });
      return undefined;
    } catch (error) {
      return error;
    }
  })();
  expect(failure).toMatchObject({ code: "invalid_config" });
  // Nothing does: this mesh is not made.
  expect((failure as Error).message).not.toContain("waits for");
  expect(String(failure)).toMatch(/fastest/);
  expect(String(failure)).toMatch(/routs/);
});

test("a service that the document does not define is refused at construction", () => {
  expect(() => testMesh({ config: document(), service: "review" })).toThrow(/review.*reviews/);
  expect(() => testMesh({ config: document(), service: "reviews" })).not.toThrow();
});

test("describe gives the policy in force with its defaults, and follows updates", async () => {
  await using t = testMesh({ config: RETRIED });
  const described = t.describe("reviews");
  expect(described.virtualHost.routes.map((route) => route.name)).toContain("all");
  expect(described.virtualHost.routes[0]?.retry).toMatchObject({ maxRetries: 2 });
  expect(described.backends[0]).toMatchObject({
    name: "reviews",
    balancer: { policy: "round-robin" },
    outlier: { consecutiveFailures: 5 },
  });
  expect(described.endpointSets[0]?.endpoints.map((endpoint) => endpoint.address)).toEqual([ONE, OTHER]);
  t.update(document({ balancer: { policy: "random" } }));
  expect(t.describe("reviews").backends[0]?.balancer.policy).toBe("random");
  expect(() => t.describe("rviews")).toThrow(TypeError);
});

test("explain and report speak of the same decision", async () => {
  await using t = testMesh({ config: RETRIED });
  expect(t.explain({ url: "http://reviews/api" }).decision).toMatchObject({ kind: "forward", route: "all" });
  const response = await t.fetch("http://reviews/api");
  expect(t.report(response)).toMatchObject({ service: "reviews", route: "all", attempts: [{ outcome: "200" }] });
});

test("runs an application as an endpoint, and what it calls through the same mesh", async () => {
  await using t = testMesh({ config: document({}, { ratings: { endpoints: [{ address: "127.0.0.1:9090" }] } }) });
  t.endpoint("127.0.0.1:9090")
    .latency("30ms")
    .respond({ json: { stars: 5 } });
  const app = express();
  app.get("/reviews/:id", async (request, response) => {
    const ratings = await t.request("http://ratings/");
    response.json({ id: request.params.id, ratings: await ratings.json() });
  });
  for (const address of [ONE, OTHER]) t.endpoint(address).respond(app);
  const reply = t.fetch("http://reviews/reviews/7");
  await t.advance("30ms");
  expect(await (await reply).json()).toEqual({ id: "7", ratings: { stars: 5 } });
  expect(t.attempts("ratings")).toMatchObject([{ ms: 30 }]);
  expect(t.attempts()).toHaveLength(2);
});

test("takes a path, a snapshot, and a source of the test's own", async () => {
  const folder = mkdtempSync(join(tmpdir(), "heddle-testing-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "mesh.json");
  writeFileSync(path, JSON.stringify(document()));
  const source = fakeSource(serviceSnapshot("reviews", [ONE]));
  for (const config of [path, serviceSnapshot("reviews", [ONE]), source]) {
    await using t = testMesh({ config });
    expect((await t.fetch("http://reviews/")).status).toBe(200);
  }
  expect(source.watchers).toBe(0);
  writeFileSync(path, "services: [");
  expect(() => testMesh({ config: path })).toThrow(/mesh\.json/);
});

test("a source of the test's own changes itself", async () => {
  const source = fakeSource();
  await using t = testMesh({ config: source });
  await expect(t.request("http://reviews/")).rejects.toMatchObject({ code: "unknown_service" });
  source.update(serviceSnapshot("reviews", [ONE]));
  expect((await t.request("http://reviews/")).status).toBe(200);
  source.fail("the control plane is gone");
  expect(t.problems.map((problem) => problem.message)).toEqual([expect.stringContaining("the control plane is gone")]);
  expect(() => t.update(document())).toThrow(TypeError);
});

test("calls that come through another front door are seen too", async () => {
  await using t = testMesh({ config: document() });
  const response = await t.mesh.send({ method: "GET", scheme: "http", authority: "reviews", path: "/x", headers: {}, body: null });
  response.body.attach({ data() {}, end() {}, fail() {} });
  expect(t.attempts("reviews")).toHaveLength(1);
  expect(t.timeline()).toContain("GET http://reviews/x");
});

test("the access log goes to the logger it is given", async () => {
  const lines: object[] = [];
  await using t = testMesh({
    config: document(),
    accessLog: { logger: { info: (line) => void lines.push(line) }, fields: ["path", "outcome"] },
  });
  await t.fetch("http://reviews/api/7");
  expect(lines).toEqual([{ path: "/api/7", outcome: "200" }]);
});

test("closing cuts what is in flight and leaves no timer", async () => {
  const t = testMesh({ config: document() });
  for (const address of [ONE, OTHER]) t.endpoint(address).hang();
  const reply = t.request("http://reviews/").catch((error: unknown) => error);
  await t.advance(1);
  await t.close();
  await t.close();
  expect(meshError(await reply)).toBeDefined();
  await t.advance(0);
  expect(t.clock.pendingTimers).toBe(0);
});

test("a misspelt key of an answer or a behaviour is refused, and not answered 200", async () => {
  await using t = testMesh({ config: document({ endpoints: [{ address: ONE }] }) });
  const endpoint = t.endpoint(ONE);
  expect(() => endpoint.respond({ statsu: 503 } as object)).toThrow(/respond: there is no option "statsu"; did you mean "status"\?/);
  expect(() => endpoint.hang({ att: "body" } as object)).toThrow(/hang: .*"att"/);
  expect(() => endpoint.reset({ afer: "head" } as object)).toThrow(/reset: .*"afer".*"after"/);
  endpoint.respond(() => ({ boddy: "x" }) as object);
  const refused = await t.fetch("http://reviews/");
  expect([refused.status, await refused.text()]).toEqual([500, expect.stringContaining('did you mean "body"?')]);
});

test("an address that the document does not have is no endpoint; one that it had, or may get by a name or a source, is", async () => {
  await using t = testMesh({ config: document() });
  expect(() => t.endpoint("127.0.0.1:9018")).toThrow(/no endpoint "127\.0\.0\.1:9018"; did you mean "127\.0\.0\.1:9081"\?/);
  t.update(document({ endpoints: [{ address: "10.0.0.9:1" }] }));
  for (const address of [ONE, "10.0.0.9:1"]) expect(t.endpoint(address).address).toBe(address);
  await using named = testMesh({ config: document({ endpoints: [{ dns: "reviews.test:80" }] }) });
  expect(named.endpoint("10.1.1.1:80").address).toBe("10.1.1.1:80");
  await using sourced = testMesh({ config: fakeSource() });
  expect(sourced.endpoint("10.1.1.1:80").address).toBe("10.1.1.1:80");
});
