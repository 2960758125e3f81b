import fc from "fast-check";
import { expect, test } from "vitest";
import { backendOf, endpointSetOf, retryOf, routeOf, snapshotOf, timeoutOf, virtualHostOf } from "../../test/builders.ts";
import { type Answer, fails, hangs, status, streams, stuck } from "../../test/fake-transport.ts";
import { type OutboundStack, outboundStack } from "../../test/outbound-stack.ts";
import type { Backend } from "../model/backend.ts";
import type { Route } from "../model/route.ts";
import { PushBody } from "../push-body.ts";
import { TransportFailure } from "../transport.ts";

function stackWith(backend: Partial<Backend> = {}, route: Partial<Route> = {}, addresses: readonly string[] = ["a:1"]): OutboundStack {
  return outboundStack(
    snapshotOf({
      virtualHosts: [virtualHostOf({ routes: [routeOf({ retry: "off", ...route })] })],
      backends: [backendOf(backend)],
      endpointSets: [endpointSetOf("reviews", addresses)],
    }),
  );
}

const OUTLIER = { consecutiveFailures: 3, intervalMs: 10_000, baseEjectionMs: 30_000, maxEjectionMs: 300_000, maxEjectionPercent: 100 };
const stateOf = (stack: OutboundStack) => stack.dataPlane.backendState("reviews");
const inFlight = (stack: OutboundStack) => stateOf(stack).endpoints.all.reduce((sum, endpoint) => sum + endpoint.inFlight, 0);
const endpointOfStack = (stack: OutboundStack, index = 0) => {
  const endpoint = stateOf(stack).endpoints.all[index];
  if (!endpoint) throw new Error("no such endpoint");
  return endpoint;
};
const pausable = () => new PushBody({ pause() {}, resume() {}, abort() {} });

test("a backend without an endpoint fails with no_endpoint and says why", async () => {
  await expect(stackWith({}, {}, []).send().response).rejects.toMatchObject({
    code: "no_endpoint",
    message: expect.stringMatching(
      /^GET http:\/\/reviews\/: reviews: test gives it no endpoint \(since .*\) \(service reviews, route default\)$/,
    ),
  });
  await expect(stackWith({ selector: { version: "v9" } }).send().response).rejects.toMatchObject({
    code: "no_endpoint",
    message: expect.stringContaining("none of the 1 endpoints of test has the labels version=v9"),
  });
});

test("the record of a try says where it went, how it ended, and how long its head took", async () => {
  const stack = stackWith();
  stack.transport.script("a:1", async (request) => {
    await new Promise<void>((resolve) => stack.clock.setTimer(25, resolve));
    return status(404)(request);
  });
  const { request, response } = stack.send();
  await stack.clock.advance(25);
  await response;
  expect(request.context.attempts[0]).toMatchObject({ endpoint: "a:1", outcome: "response", status: 404, elapsedMs: 25 });
});

test("a failure says what was asked of which endpoint, without the query", async () => {
  const stack = stackWith();
  stack.transport.script("a:1", fails("connect-failure"));
  await expect(stack.send({ path: "/x?secret=1" }).response).rejects.toMatchObject({
    code: "connect_failed",
    message: expect.stringMatching(/^GET http:\/\/reviews\/x: could not connect to a:1/),
    cause: { kind: "connect-failure" },
  });
});

test("requests that wait for a connection are limited, and count until they are sent", async () => {
  const stack = stackWith({ limits: { maxConnections: 1, maxPending: 2, maxRequests: null } });
  stack.transport.script("a:1", stuck);
  const waiting = [stack.send(), stack.send()];
  expect(stateOf(stack).pending).toBe(2);
  await expect(stack.send().response).rejects.toMatchObject({
    code: "overloaded",
    message: expect.stringContaining("GET http://reviews/: reviews: 2 requests wait for a connection, limits.maxPending is 2"),
  });
  expect(inFlight(stack)).toBe(2);
  const [one, other] = waiting as [(typeof waiting)[0], (typeof waiting)[0]];
  const sent = one.request.context.attempts[0];
  if (sent) sent.wasSent = true;
  expect(stateOf(stack).pending).toBe(1);
  one.request.cancel.cancel(new Error("left"));
  other.request.cancel.cancel(new Error("left"));
  await stack.clock.advance(0);
  expect(stateOf(stack).pending).toBe(0);
  expect(inFlight(stack)).toBe(0);
});

test("an endpoint that says it drains gets no new request for 10 s", async () => {
  const stack = stackWith({}, {}, ["a:1", "b:1"]);
  stack.transport.script("a:1", status(200, { "x-heddle-draining": "1" }), status(200));
  for (let count = 0; count < 3; count++) await stack.send().response;
  const before = stack.transport.sent.length;
  for (let count = 0; count < 6; count++) await stack.send().response;
  expect(new Set(stack.transport.sent.slice(before).map(({ address }) => address))).toEqual(new Set(["b:1"]));
  await stack.clock.advance(10_000);
  for (let count = 0; count < 4; count++) await stack.send().response;
  expect(new Set(stack.transport.sent.slice(before + 6).map(({ address }) => address))).toEqual(new Set(["a:1", "b:1"]));
});

test("failing answers and broken exchanges eject an endpoint, clients' mistakes do not", async () => {
  for (const [answer, isEjected] of [
    [status(503), true],
    [fails("reset"), true],
    [fails("connect-failure"), true],
    [status(404), false],
    [status(429), false],
  ] as const) {
    const stack = stackWith({ outlier: OUTLIER }, {}, ["a:1", "b:1"]);
    stack.transport.script("a:1", answer);
    for (let count = 0; count < 8; count++) await stack.send().response.catch(() => {});
    expect(stateOf(stack).endpoints.all.some(({ status }) => status === "ejected")).toBe(isEjected);
  }
});

test("an answer whose body breaks is a failure of its endpoint; of one whose caller left, the answer stands", async () => {
  const stack = stackWith({ outlier: { ...OUTLIER, consecutiveFailures: 1 } }, {}, ["a:1", "b:1"]);
  const broken = pausable();
  stack.transport.script("a:1", streams(broken));
  stack.transport.script("b:1", streams(broken));
  await stack.send().response;
  broken.fail(new TransportFailure("reset", "cut"));
  expect(broken.error).toMatchObject({ code: "connection_reset" });
  const failed = () => stateOf(stack).endpoints.all.reduce((sum, { failures }) => sum + failures, 0);
  expect(failed()).toBe(1);

  for (const [code, failures] of [
    [200, 1],
    [503, 2],
  ] as const) {
    const left = pausable();
    stack.transport.script("a:1", streams(left, code));
    stack.transport.script("b:1", streams(left, code));
    const { request, response } = stack.send();
    await response;
    request.cancel.cancel(new Error("left"));
    expect(left.hasEnded).toBe(true);
    expect(request.context.attempts[0]?.outcome).toBe("response");
    expect(failed()).toBe(failures);
  }
});

test("latency is learned from the head, and a failing or throttling answer is a penalty", async () => {
  for (const [answer, expected] of [
    [status(200), 0],
    [status(503), 5_000],
    [status(429), 5_000],
    [status(429, { "retry-after": "60" }), 60_000],
    [fails("reset"), 5_000],
  ] as const) {
    const stack = stackWith({ balancer: { policy: "peak-ewma" } });
    stack.transport.script("a:1", answer);
    await stack.send().response.catch(() => {});
    const { estimateMs } = endpointOfStack(stack);
    if (expected === 0) expect(estimateMs).toBeLessThan(30);
    else expect(estimateMs).toBe(expected);
  }
});

test("load, pending requests and limits are back at 0 after any mixture of endings", async () => {
  type Ending =
    | "read"
    | "unread"
    | "half-read"
    | "paused"
    | "aborted"
    | "cut"
    | "reset"
    | "refused"
    | "cancelled"
    | "timed out"
    | "retried";
  const endings: Ending[] = [
    "read",
    "unread",
    "half-read",
    "paused",
    "aborted",
    "cut",
    "reset",
    "refused",
    "cancelled",
    "timed out",
    "retried",
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...endings), { minLength: 1, maxLength: 12 }), async (wanted) => {
      const stack = stackWith(
        { limits: { maxConnections: 10, maxPending: 100, maxRequests: 100 }, outlier: OUTLIER },
        { retry: retryOf({ maxRetries: 1 }), timeout: timeoutOf({ totalMs: 120_000 }) },
        ["a:1", "b:1"],
      );
      for (const ending of wanted) await one(stack, ending);
      await stack.clock.advance(200_000);
      expect(inFlight(stack)).toBe(0);
      expect(stateOf(stack).pending).toBe(0);
      expect(stateOf(stack).inFlight.count).toBe(0);
      expect(endpointOfStack(stack).oldest).toBe(null);
      expect(stack.clock.pendingTimers).toBe(0);
    }),
    { numRuns: 60 },
  );

  async function one(stack: OutboundStack, ending: Ending): Promise<void> {
    const both = (...answers: Answer[]) => {
      for (const address of ["a:1", "b:1"]) stack.transport.script(address, ...answers);
    };
    const body = pausable();
    if (ending === "reset") both(fails("reset"));
    else if (ending === "refused") both(fails("connect-failure"));
    else if (ending === "cancelled") both(stuck);
    else if (ending === "timed out") both(hangs);
    else if (ending === "retried") both(status(503));
    else both(streams(body));
    const { request, response } = stack.send();
    await stack.clock.advance(0);
    if (ending === "cancelled") request.cancel.cancel(new Error("left"));
    if (["reset", "refused", "cancelled", "timed out", "retried"].includes(ending)) return;
    const given = await response;
    body.push(Buffer.alloc(100));
    if (ending === "aborted") given.body.abandon(new Error("enough"));
    else if (ending === "cut") body.fail(new Error("cut"));
    else if (ending !== "unread") given.body.attach({ data() {}, end() {}, fail() {} });
    if (ending === "paused") given.body.pause();
    if (ending === "half-read") request.cancel.cancel(new Error("left"));
    else if (ending !== "paused") body.end(null);
    else body.push(Buffer.alloc(100));
  }
});

test("an endpoint's probe is over with a good head, however long its body takes", async () => {
  const stack = stackWith({ outlier: { ...OUTLIER, consecutiveFailures: 1 } }, {}, ["a:1", "b:1"]);
  const endpoint = endpointOfStack(stack);
  for (const address of ["a:1", "b:1"]) stack.transport.script(address, status(500), streams(pausable()));
  await stack.send().response;
  const ejected = stateOf(stack).endpoints.all.find((state) => state.status === "ejected") ?? endpoint;
  await stack.clock.advance(30_000);
  for (let count = 0; count < 20 && ejected.status !== "ready"; count++) await stack.send().response;
  expect(ejected.status).toBe("ready");
});

test("a transport that throws fails its request and leaves nothing in flight", async () => {
  const stack = stackWith({ limits: { maxConnections: 1, maxPending: 10, maxRequests: 10 } });
  const open = stack.transport.open.bind(stack.transport);
  Object.assign(stack.transport, {
    open: (settings: Parameters<typeof open>[0]) => ({
      ...open(settings),
      send() {
        throw new Error("broken transport");
      },
    }),
  });
  await expect(stack.send().response).rejects.toThrow("broken transport");
  expect([inFlight(stack), stateOf(stack).pending, stateOf(stack).inFlight.count]).toEqual([0, 0, 0]);
});

test("a failure in the body names service, route and tries as one before the head does, and why it was the last", async () => {
  const stack = stackWith();
  const body = pausable();
  stack.transport.script("a:1", streams(body));
  await stack.send().response;
  body.fail(new TransportFailure("reset", "cut"));
  expect(body.error).toMatchObject({
    code: "connection_reset",
    message: "GET http://reviews/: connection broken by a:1: cut (service reviews, route default; tried a:1: reset)",
    report: { attempts: [{ endpoint: "a:1", outcome: "reset", why: "the answer had been handed out" }] },
  });
});

test("a body that the deadline cuts says the same, and its try's time ends with the head", async () => {
  const stack = stackWith({}, { timeout: timeoutOf({ totalMs: 1_000 }) });
  const body = pausable();
  stack.transport.script("a:1", streams(body));
  await stack.send().response;
  await stack.clock.advance(1_000);
  expect(body.error).toMatchObject({
    code: "deadline_exceeded",
    message: expect.stringMatching(/within 1s \(service reviews, route default; tried a:1: deadline\)$/),
    report: { attempts: [{ outcome: "deadline", ms: 0, why: "the answer had been handed out" }] },
  });
});

test("what is left of a repeated try's answer does not speak for the request when the deadline cuts it", async () => {
  const stack = stackWith({}, { retry: retryOf({ maxRetries: 1 }), timeout: timeoutOf({ totalMs: 500 }) }, ["a:1", "b:1"]);
  const refused = pausable();
  let tries = 0;
  const first: Answer = (request) => (tries++ === 0 ? streams(refused, 503)(request) : hangs(request));
  for (const address of ["a:1", "b:1"]) stack.transport.script(address, first);
  const { response } = stack.send();
  await stack.clock.advance(500);
  expect(refused.hasEnded).toBe(true);
  await expect(response).rejects.toMatchObject({
    code: "deadline_exceeded",
    report: {
      attempts: [
        { outcome: "503", why: "retried" },
        { outcome: "deadline", why: "the deadline was over" },
      ],
    },
  });
});

test("a deadline that passes while the reader keeps the server waiting is not held against the endpoint", async () => {
  const stack = stackWith({}, { timeout: timeoutOf({ totalMs: 5_000 }) });
  const body = pausable();
  stack.transport.script("a:1", streams(body));
  const { request } = stack.send();
  await stack.clock.advance(0);
  request.cancel.onCancel((reason) => body.fail(reason));
  await stack.clock.advance(4_900);
  body.push(Buffer.from("unread"));
  await stack.clock.advance(100);
  expect(body.error).toMatchObject({ code: "deadline_exceeded" });
  expect(endpointOfStack(stack)).toMatchObject({ failures: 0, inFlight: 0 });
});

test("a request that finds a free connection does not count as waiting for one", async () => {
  const stack = stackWith({ limits: { maxConnections: 10, maxPending: 1, maxRequests: null } });
  const open = stack.transport.open.bind(stack.transport);
  Object.assign(stack.transport, {
    open: (settings: Parameters<typeof open>[0]) => ({ ...open(settings), connections: () => 2 }),
  });
  stack.transport.script("a:1", stuck);
  const outcomes = Array.from({ length: 4 }, () => stack.send().response.catch((error: unknown) => error));
  expect(stateOf(stack).pending).toBe(1);
  expect(await outcomes[3]).toMatchObject({ code: "overloaded" });
});

test("a retry that has failed at every ready endpoint takes an ejected one: a guess beats a certain failure", async () => {
  const stack = stackWith({ outlier: { ...OUTLIER, consecutiveFailures: 1, maxEjectionPercent: 50 } }, { retry: retryOf() }, [
    "a:1",
    "b:1",
  ]);
  stack.transport.script("a:1", fails("connect-failure"), status(200));
  stack.transport.script("b:1", fails("connect-failure"), status(200));
  await stack.send().response;
  const states = stateOf(stack).endpoints.all;
  const ejected = states.find((state) => state.status === "ejected");
  const left = states.find((state) => state !== ejected);
  if (!ejected || !left) throw new Error("one should be ejected");
  stack.transport.script(left.address, fails("connect-failure"));
  stack.transport.script(ejected.address, status(200));
  const { request, response } = stack.send();
  expect((await response).status).toBe(200);
  expect(request.context.attempts.map(({ endpoint }) => endpoint)).toEqual([left.address, ejected.address]);
});

test.each(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EADDRINUSE"])(
  "what this process lacks to connect (%s) ejects no endpoint",
  async (code) => {
    const stack = stackWith({ outlier: OUTLIER }, {}, ["a:1", "b:1"]);
    for (const address of ["a:1", "b:1"]) stack.transport.script(address, fails("connect-failure", { code }));
    for (let count = 0; count < 20; count++) {
      await expect(stack.send().response).rejects.toMatchObject({
        code: "connect_failed",
        message: expect.stringContaining("which is not held against the endpoint"),
      });
    }
    for (const endpoint of stateOf(stack).endpoints.all) expect(endpoint).toMatchObject({ status: "ready", failures: 0, inFlight: 0 });
  },
);

test("a balancer turns from an endpoint to which no port is left, and not from all when descriptors are missing", async () => {
  const penalised = async (code: string) => {
    const stack = stackWith({ balancer: { policy: "peak-ewma" } });
    stack.transport.script("a:1", fails("connect-failure", { code }));
    await stack.send().response.catch(() => {});
    return endpointOfStack(stack).isPenalised;
  };
  expect(await penalised("EADDRNOTAVAIL")).toBe(true);
  expect(await penalised("EMFILE")).toBe(false);
});

test("the time that the event loop was blocked is not the endpoint's", async () => {
  const stack = stackWith({
    balancer: { policy: "peak-ewma" },
    outlier: { ...OUTLIER, consecutiveFailures: 1 },
    failure: { statuses: [], grpc: [], slowerThanMs: 500 },
  });
  stack.transport.script("a:1", async (request) => {
    await new Promise<void>((resolve) => stack.clock.setTimer(40, resolve));
    return status(200)(request);
  });
  const { request, response } = stack.send();
  await stack.clock.advance(10);
  stack.clock.block(2_000);
  await stack.clock.advance(0);
  await response;
  expect(request.context.attempts[0]?.elapsedMs).toBe(2_010);
  expect(endpointOfStack(stack).estimateMs).toBeLessThan(100);
  expect(endpointOfStack(stack)).toMatchObject({ failures: 0, status: "ready" });
});

test("kept connections that die together are one failure, and later ones count again", async () => {
  const stack = stackWith();
  const died = async (connection: number) => {
    stack.transport.script("a:1", (request) => {
      if (request.attempt) request.attempt.connection = connection;
      return fails("reset", { wasSent: true, reusedConnection: true })(request);
    });
    const { request, response } = stack.send();
    await response.catch(() => {});
    return request.context.attempts[0];
  };
  stack.transport.script("a:1", (request) => {
    if (request.attempt) request.attempt.connection = 8;
    return status(200)(request);
  });
  await stack.send().response;
  for (const connection of [3, 1, 8, 2, 7, 4]) await died(connection);
  expect(endpointOfStack(stack)).toMatchObject({ failures: 1, status: "ready" });
  await died(9);
  await died(10);
  expect(endpointOfStack(stack).failures).toBe(3);
});

test("a transport that cannot open a channel fails each request, and none is left counted", async () => {
  const stack = stackWith({ limits: { maxConnections: 100, maxPending: 1_000, maxRequests: 2 } });
  stack.transport.open = () => {
    throw new TypeError("no such protocol");
  };
  for (let call = 0; call < 4; call++) await expect(stack.send().response).rejects.toThrow("no such protocol");
  expect(stateOf(stack).inFlight.count).toBe(0);
});

test("a try that had to wait for its first endpoint picks by the time at which there is one", async () => {
  const backend = backendOf({ emptyWaitMs: 5_000 });
  const snapshot = (addresses: readonly string[]) =>
    snapshotOf({
      virtualHosts: [virtualHostOf({ routes: [routeOf({ retry: "off" })] })],
      backends: [backend],
      endpointSets: [endpointSetOf("reviews", addresses)],
    });
  const stack = outboundStack(snapshot([]));
  const { request, response } = stack.send();
  await stack.clock.advance(3_000);
  stack.dataPlane.update(snapshot(["a:1"]));
  await response;
  expect(request.context.attempts[0]).toMatchObject({ startedAt: 0, outcome: "response", elapsedMs: 0 });
});
