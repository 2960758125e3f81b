import { expect, test, vi } from "vitest";
import { backendOf, endpointSetOf, inboundPolicyOf, retryOf, routeOf, snapshotOf, to, virtualHostOf } from "../test/builders.ts";
import { fails, fakeTransport, hangs, status, streams } from "../test/fake-transport.ts";
import { type HandSource, handSource } from "../test/hand-source.ts";
import { virtualClock } from "../test/virtual-clock.ts";
import { MeshError } from "./errors.ts";
import { createMesh } from "./mesh.ts";
import type { MeshOptions } from "./mesh-options.ts";
import type { MeshResponse } from "./message.ts";
import type { Problem } from "./model/problem.ts";
import { PushBody } from "./push-body.ts";
import { seededRandom } from "./random.ts";
import type { RequestInit } from "./request-start.ts";

function meshWith(source: HandSource = handSource(snapshotOf()), options: Partial<MeshOptions> = {}) {
  const clock = virtualClock();
  const transport = fakeTransport();
  const problems: Problem[] = [];
  const mesh = createMesh({
    config: source,
    transport,
    clock,
    random: seededRandom(1),
    onProblem: (problem) => problems.push(problem),
    ...options,
  });
  const send = (parts: Partial<RequestInit> = {}): Promise<MeshResponse> => {
    const response = mesh.send({ method: "GET", scheme: "http", authority: "reviews", path: "/", headers: {}, body: null, ...parts });
    response.catch(() => {});
    return response;
  };
  /** Closes within virtual time. */
  const close = async (given: Parameters<typeof mesh.close>[0] = {}) => {
    const closing = mesh.close(given);
    await clock.advance(60_000);
    await closing;
  };
  return { mesh, clock, transport, source, problems, send, close };
}

const badSnapshot = () =>
  snapshotOf({ virtualHosts: [virtualHostOf({ routes: [routeOf({ action: { kind: "forward", to: [to("nowhere")], rewrite: null } })] })] });

test("is ready as soon as its source has spoken", async () => {
  const { mesh, source, clock } = meshWith(handSource());
  let isReady = false;
  const ready = mesh.ready().then(() => {
    isReady = true;
  });
  await clock.advance(5_000);
  expect(isReady).toBe(false);
  expect(mesh.health()).toEqual({ ok: false, because: ["hand: it has not delivered a configuration yet"], warnings: [] });
  source.update(snapshotOf());
  await ready;
  expect(mesh.health()).toEqual({ ok: true, because: [], warnings: [] });
  await mesh.ready();
});

test("is not ready after the start timeout, and says which source and why", async () => {
  const { mesh, source, clock } = meshWith(handSource(), { startTimeout: "3s" });
  const ready = mesh.ready();
  ready.catch(() => {});
  source.problem("cannot be read");
  await clock.advance(3_000);
  await expect(ready).rejects.toMatchObject({ code: "not_ready", message: "not ready after 3000ms: hand: cannot be read" });
});

test("a service that no source defines is not ready, and the nearest name is suggested", async () => {
  const { mesh } = meshWith(handSource(snapshotOf()), { service: "reveiws" });
  await expect(mesh.ready()).rejects.toMatchObject({
    code: "not_ready",
    message: 'service "reveiws" is not defined by hand; did you mean "reviews"?',
  });
  expect(mesh.health()).toMatchObject({ ok: false, because: [expect.stringContaining("did you mean")] });
  expect(() => mesh.assertServing()).toThrow(TypeError);
});

test("a service may be unknown to a source that does not enumerate its services", async () => {
  const { mesh } = meshWith(handSource(snapshotOf({ enumeratesServices: false })), { service: "anything" });
  await mesh.ready();
  mesh.assertServing();
});

test("a mesh without a service is a client: serving throws", async () => {
  const { mesh } = meshWith();
  await mesh.ready();
  expect(() => mesh.assertServing()).toThrow("it has no service");
  const serving = meshWith(handSource(snapshotOf({ inboundPolicies: [inboundPolicyOf("reviews")] })), { service: "reviews" });
  serving.mesh.assertServing();
});

test("a host that no service claims is unknown_service, and egress says what the configuration says of it", async () => {
  const { mesh, send, source } = meshWith();
  await expect(send({ authority: "elsewhere:80" })).rejects.toMatchObject({
    code: "unknown_service",
    message: "no service claims elsewhere:80",
  });
  await expect(send({ authority: "reviws" })).rejects.toThrow("no service claims reviws; did you mean reviews?");
  expect(mesh.virtualHost("elsewhere")).toBe(null);
  expect(mesh.egress).toBe("allow");
  source.update(snapshotOf({ egress: "deny" }));
  expect(mesh.egress).toBe("deny");
});

test("a broken update leaves what was in force, is reported once, and is worth telling again after a good one", async () => {
  const { mesh, source, problems, send } = meshWith();
  source.update(badSnapshot());
  source.update(badSnapshot());
  expect(problems.map(({ message }) => message)).toEqual([
    "route default leads to backend nowhere, which does not exist; the last good configuration stays in force",
  ]);
  expect((await send()).status).toBe(200);
  expect(mesh.inspect()).toMatchObject({ revision: 1, sources: [{ name: "hand", state: "failing", updates: 1 }], problems });
  source.update(snapshotOf({ egress: "deny" }));
  expect(mesh.inspect()).toMatchObject({ revision: 2, sources: [{ state: "ok", updates: 2 }], problems: [] });
  source.update(badSnapshot());
  expect(problems).toHaveLength(2);
});

test("a source that throws at the start is reported, and the mesh stands", async () => {
  const broken = {
    name: "broken",
    watch: () => {
      throw new Error("no such host");
    },
  };
  const { mesh, problems, close } = meshWith(broken as unknown as HandSource);
  expect(problems).toMatchObject([{ where: "broken", message: "the source failed to start: Error: no such host", severity: "error" }]);
  expect(mesh.health().ok).toBe(false);
  await close();
});

test("onChange tells of each configuration that took effect", () => {
  const revisions: number[] = [];
  const { source } = meshWith(handSource(snapshotOf()), { onChange: ({ revision }) => revisions.push(revision) });
  source.update(snapshotOf({ egress: "deny" }));
  source.update(badSnapshot());
  expect(revisions).toEqual([1, 2]);
});

test("requests in flight, also those that are retried later, are not touched by an update", async () => {
  const retrying = (weight: number) =>
    snapshotOf({
      virtualHosts: [
        virtualHostOf({
          routes: [
            routeOf({
              retry: retryOf({ backoff: { baseMs: 50, maxMs: 50 } }),
              action: { kind: "forward", to: [to("reviews", weight)], rewrite: null },
            }),
          ],
        }),
      ],
      endpointSets: [endpointSetOf("reviews", ["a:1", "b:1"])],
    });
  const { send, source, transport, clock } = meshWith(handSource(retrying(1)));
  transport.script("a:1", status(503));
  transport.script("b:1", status(503), status(503), status(503), status(200));
  const responses = [send(), send(), send(), send()];
  for (let weight = 2; weight < 12; weight++) {
    await clock.advance(10);
    source.update(retrying(weight));
  }
  await clock.advance(200);
  expect((await Promise.all(responses)).length).toBe(4);
  expect(transport.events.filter((event) => event.startsWith("close"))).toEqual([]);
});

test("a failure carries its report, and report() finds it through causes", async () => {
  const { mesh, send, transport } = meshWith(
    handSource(snapshotOf({ virtualHosts: [virtualHostOf({ routes: [routeOf({ retry: "off", origin: "mesh.yaml:9:7" })] })] })),
  );
  transport.script("a:1", fails("connect-failure"));
  const error = await send().catch((error: unknown) => error);
  expect(error).toBeInstanceOf(MeshError);
  const report = { service: "reviews", route: "default", backend: "reviews", endpoint: "a:1", policyFrom: "mesh.yaml:9:7" };
  expect(mesh.report(error)).toMatchObject({ ...report, attempts: [{ endpoint: "a:1", outcome: "connect-failure" }] });
  expect(mesh.report(new TypeError("fetch failed", { cause: error }))).toMatchObject(report);
  expect((error as Error).message).toContain("(service reviews, route default; tried a:1: connect-failure)");
});

test("report() answers for what was remembered, and for nothing else", () => {
  const { mesh } = meshWith();
  const request = mesh.startRequest({ method: "GET", scheme: "http", authority: "reviews", path: "/", headers: {}, body: null });
  const response = {};
  mesh.remember(response, request.context);
  expect(mesh.report(response)).toMatchObject({ attempts: [] });
  for (const reply of [undefined, null, "text", 5, {}, new Error("x"), []]) expect(mesh.report(reply)).toBe(undefined);
});

test("report() survives causes that go round in a circle", () => {
  const { mesh } = meshWith();
  const one = new Error("one");
  one.cause = new Error("two", { cause: one });
  expect(mesh.report(one)).toBe(undefined);
});

test("inspect shows the backends that were used, with their endpoints and counters", async () => {
  const { mesh, send, transport } = meshWith(handSource(snapshotOf({ backends: [backendOf({ balancer: { policy: "peak-ewma" } })] })));
  expect(mesh.inspect()).toMatchObject({
    service: null,
    revision: 1,
    egress: "allow",
    virtualHosts: [{ name: "reviews", authorities: ["reviews"], routes: 1, from: "test" }],
    backends: [],
  });
  transport.script("a:1", hangs);
  void send();
  expect(mesh.inspect().backends).toMatchObject([
    {
      name: "reviews",
      balancer: "peak-ewma",
      inFlight: 1,
      pending: 0,
      breaker: "none",
      endpoints: [{ address: "a:1", weight: 1, state: "ready", inFlight: 1, connections: 1, latencyMs: null, requests: 1, failures: 0 }],
    },
  ]);
});

test("close lets what is in flight finish, then frees every channel and timer", async () => {
  const { mesh, send, transport, clock, source, close } = meshWith();
  const body = new PushBody(null);
  transport.script("a:1", streams(body));
  const response = await send();
  let isClosed = false;
  const closing = mesh.close().then(() => {
    isClosed = true;
  });
  await clock.advance(5_000);
  expect(isClosed).toBe(false);
  body.end(null);
  await closing;
  expect(response.body.error).toBe(null);
  expect(transport.events.slice(0, 2)).toEqual(["open a:1", "close a:1"]);
  expect(clock.pendingTimers).toBe(0);
  expect(source.isWatched).toBe(false);
  await close();
});

test("what has not finished within the limit is cut", async () => {
  const { mesh, send, transport, clock } = meshWith(
    handSource(snapshotOf({ virtualHosts: [virtualHostOf({ routes: [routeOf({ retry: "off" })] })] })),
  );
  transport.script("a:1", hangs);
  const response = send();
  const closing = mesh.close({ limit: "2s" });
  await clock.advance(1_999);
  expect(transport.events).toEqual(["open a:1", "close a:1"]);
  await clock.advance(1);
  await closing;
  await expect(response).rejects.toBeInstanceOf(MeshError);
  expect(transport.events).toContain("destroy a:1");
  expect(clock.pendingTimers).toBe(0);
});

test("while it drains it is unhealthy and goes on serving; closed, it refuses", async () => {
  const { mesh, send, clock } = meshWith();
  const closing = mesh.close({ drain: "5s" });
  expect(mesh.isDraining).toBe(true);
  expect(mesh.health()).toEqual({ ok: false, because: ["draining"], warnings: [] });
  await clock.advance(4_999);
  expect((await send()).status).toBe(200);
  await clock.advance(1);
  await closing;
  await expect(send()).rejects.toMatchObject({ code: "closed" });
});

test("listeners are told to drain first, then closed in order and before the clients", async () => {
  const { mesh, clock, transport, send } = meshWith();
  await send();
  const events = transport.events;
  const closing = (name: string) => ({
    drain: () => events.push(`drain ${name}`),
    close: async () => void events.push(`stop ${name}`),
    destroy: () => events.push(`cut ${name}`),
  });
  mesh.onClose(closing("one"));
  mesh.onClose(closing("two"));
  mesh.onClose(closing("gone"))();
  const closed = mesh.close({ drain: 100 });
  expect(events.slice(1)).toEqual(["drain one", "drain two"]);
  mesh.onClose({ ...closing("late"), drain: () => events.push("drain late") });
  expect(events.at(-1)).toBe("drain late");
  await clock.advance(100);
  await closed;
  expect(events.indexOf("stop one")).toBeLessThan(events.indexOf("close a:1"));
  expect(events.indexOf("stop two")).toBeLessThan(events.indexOf("close a:1"));
  expect(events).toContain("cut one");
});

test("close is idempotent, and works before anything was ready", async () => {
  const { mesh, clock } = meshWith(handSource());
  const ready = mesh.ready();
  ready.catch(() => {});
  const first = mesh.close();
  expect(mesh.close()).toBe(first);
  await clock.advance(0);
  await first;
  await expect(ready).rejects.toMatchObject({ code: "closed" });
  expect(clock.pendingTimers).toBe(0);
  await mesh[Symbol.asyncDispose]();
});

test("a closed source changes nothing any more", async () => {
  const { mesh, source, close } = meshWith();
  const update = vi.spyOn(source, "update");
  await close();
  source.update(snapshotOf({ egress: "deny" }));
  expect(update).toHaveBeenCalledTimes(1);
  expect(mesh.egress).toBe("allow");
});

test("a request that is between two tries when the mesh is cut fails as closed, and opens nothing", async () => {
  const retry = retryOf({ maxRetries: 1, backoff: { baseMs: 60_000, maxMs: 60_000 } });
  const { mesh, send, transport, clock } = meshWith(
    handSource(snapshotOf({ virtualHosts: [virtualHostOf({ routes: [routeOf({ retry })] })] })),
    { random: () => 0.5 },
  );
  transport.script("a:1", status(503));
  const response = send();
  await clock.advance(0);
  const closing = mesh.close({ limit: "1s" });
  await clock.advance(1_000);
  await closing;
  await clock.advance(120_000);
  await expect(response).rejects.toMatchObject({ code: "closed" });
  expect(transport.events.filter((event) => event.startsWith("open"))).toEqual(["open a:1"]);
  expect(clock.pendingTimers).toBe(0);
});

test("channels that nothing used for a long time are closed, while the mesh runs", async () => {
  const { send, transport, clock, close } = meshWith();
  await send();
  await clock.advance(10 * 60_000);
  expect(transport.events).toEqual(["open a:1", "close a:1"]);
  await send();
  expect(transport.events).toEqual(["open a:1", "close a:1", "open a:1"]);
  await close();
  expect(clock.pendingTimers).toBe(0);
});

test("closing waits for a request between two tries, and ends it at the limit", async () => {
  const slowly = () => {
    const { mesh, transport, clock, send } = meshWith(
      handSource(
        snapshotOf({
          virtualHosts: [
            virtualHostOf({ routes: [routeOf({ retry: retryOf({ backoff: { baseMs: 1, maxMs: 1 }, retryAfterMaxMs: 60_000 }) })] }),
          ],
          backends: [backendOf()],
          endpointSets: [endpointSetOf("reviews", ["a:1"])],
        }),
      ),
    );
    transport.script("a:1", status(503, { "retry-after": "5" }), status(200));
    return { mesh, clock, send };
  };
  const patient = slowly();
  const finished = patient.send();
  await patient.clock.advance(1);
  const closing = patient.mesh.close({ limit: "10s" });
  await patient.clock.advance(6_000);
  await closing;
  expect((await finished).status).toBe(200);
  const hasty = slowly();
  const cut = hasty.send();
  await hasty.clock.advance(1);
  const cutting = hasty.mesh.close({ limit: "1s" });
  await hasty.clock.advance(1_000);
  await cutting;
  await expect(cut).rejects.toMatchObject({ code: "closed" });
});

test("a try that is refused is on record as refused, with retries or without", async () => {
  for (const retry of ["off", null] as const) {
    const source = handSource(
      snapshotOf({
        virtualHosts: [virtualHostOf({ routes: [routeOf({ retry })] })],
        backends: [backendOf()],
        endpointSets: [endpointSetOf("reviews", [])],
      }),
    );
    const { send } = meshWith(source);
    await expect(send()).rejects.toMatchObject({ code: "no_endpoint", report: { attempts: [{ outcome: "no-endpoint" }] } });
  }
});

test("a document in the code that has mistakes is refused at once, with all of them", async () => {
  const { mesh, clock } = meshWith(undefined, { config: { apiVersion: "heddle/v1", services: { a: { timeot: 1 }, b: { retry: 5 } } } });
  const refused = await mesh.ready().catch((error: unknown) => error);
  expect(clock.now()).toBe(0);
  expect(refused).toMatchObject({ code: "not_ready", message: expect.stringMatching(/timeot.*services\.b\.retry/s) });
});
