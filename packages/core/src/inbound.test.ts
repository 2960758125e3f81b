import fc from "fast-check";
import { expect, test } from "vitest";
import { answering, inboundPolicy, inboundStack } from "../../../test/inbound/inbound-stack.ts";
import { currentScope, type Scope } from "./context.ts";
import { context, liftDeadline } from "./inbound-call.ts";
import { EXPECTED_TIMEOUT_HEADER, parseExpectedTimeout } from "./inbound-deadline.ts";
import type { Layer } from "./layer.ts";
import { PushBody } from "./push-body.ts";

const trusting = inboundPolicy({ trustHeaders: true });
const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("the application sees the deadline of a trusted caller as that of its own calls", async () => {
  const stack = inboundStack({ policy: trusting });
  const seen: (number | undefined)[] = [];
  const app = async () => {
    seen.push(currentScope()?.deadlineAt, context()?.remainingMs());
    return answering()();
  };
  await stack.clock.advance(1_000);
  await stack.serve(stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "250" }, app }));
  expect(seen).toEqual([1_250, 250]);
});

test("the policy that is in force decides, however many layers of the application stay the same", async () => {
  const stack = inboundStack({ policy: inboundPolicy() });
  const status = async () => (await stack.serve(stack.start())).status;
  expect(await status()).toBe(200);
  stack.use(inboundPolicy({ mtls: "strict" }));
  expect(await status()).toBe(403);
  stack.use(inboundPolicy());
  expect(await status()).toBe(200);
});

test("deadline and attempt headers of a caller that is not trusted are not believed", async () => {
  const stack = inboundStack();
  let scope: Partial<Scope> | null = null;
  const app = async () => {
    scope = { ...currentScope() };
    return answering()();
  };
  const reply = await stack.serve(stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "0", "x-envoy-attempt-count": "3" }, app }));
  expect(reply.status).toBe(200);
  expect(scope).toMatchObject({ deadlineAt: Number.POSITIVE_INFINITY, isRetry: false });
});

test.each([
  ["2", true],
  ["1", false],
  ["0", false],
  ["2x", false],
  ["-2", false],
  ["1e3", false],
])("a trusted attempt count of %s makes the request a retry: %s", async (count, isRetry) => {
  const stack = inboundStack({ policy: trusting });
  let seen: boolean | undefined;
  const app = async () => {
    seen = currentScope()?.isRetry;
    return answering()();
  };
  await stack.serve(stack.start({ headers: { "x-envoy-attempt-count": count }, app }));
  expect(seen).toBe(isRetry);
});

test.each(["0", "-1", "-99999999"])("a deadline of %s ms is past: refused with 504 before the application is called", async (value) => {
  const stack = inboundStack({ policy: trusting });
  let calls = 0;
  const app = async () => {
    calls++;
    return answering()();
  };
  const reply = await stack.serve(stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: value }, app }));
  expect(reply.status).toBe(504);
  expect(reply.headers["x-heddle-error"]).toBe("deadline_exceeded");
  expect(calls).toBe(0);
});

test("time that a request waited before the stack took it up counts against its deadline", async () => {
  const stack = inboundStack({ policy: trusting });
  const started = stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "20" } });
  await stack.clock.advance(20);
  expect((await stack.serve(started)).status).toBe(504);
});

test("only a plain integer of at most eight digits is a deadline", () => {
  for (const value of ["", " 5", "5 ", "+5", "5.0", "1e3", "0x10", "5, 6", "٥", "999999999", "NaN", "-"])
    expect(parseExpectedTimeout(value)).toBeUndefined();
  fc.assert(fc.property(fc.integer({ min: -99_999_999, max: 99_999_999 }), (ms) => parseExpectedTimeout(String(ms)) === ms));
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseExpectedTimeout(text);
      return ms === undefined || (Number.isSafeInteger(ms) && /^-?[0-9]+$/.test(text));
    }),
  );
});

test("garbage in the deadline header is ignored", async () => {
  const stack = inboundStack({ policy: trusting });
  const started = stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "soon" } });
  expect((await stack.serve(started)).status).toBe(200);
  expect(started.inbound.deadline).toBeUndefined();
  expect(started.inbound.remainingMs()).toBe(Number.POSITIVE_INFINITY);
});

test("until every source has spoken the answer is 503 not_ready", async () => {
  let isReady = false;
  const stack = inboundStack({ isReady: () => isReady });
  const early = await stack.serve(stack.start());
  expect([early.status, early.headers["x-heddle-error"]]).toEqual([503, "not_ready"]);
  isReady = true;
  expect((await stack.serve(stack.start())).status).toBe(200);
});

test("log and metrics see a refusal as the error it is", async () => {
  const codes: unknown[] = [];
  const stack = inboundStack({
    isReady: () => false,
    accessLog: (next) => (request) =>
      next(request).catch((error: { code: string }) => {
        codes.push(error.code);
        throw error;
      }),
  });
  expect((await stack.serve(stack.start())).status).toBe(503);
  expect(codes).toEqual(["not_ready"]);
});

test("a request is in flight until the last byte of its response", async () => {
  const stack = inboundStack();
  const body = new PushBody(null);
  await stack.serve(stack.start({ app: answering(body) }));
  expect(stack.inFlight.count).toBe(1);
  body.end(null);
  expect(stack.inFlight.count).toBe(0);
});

test("a request is not in flight after it was refused, failed, or its body broke", async () => {
  const stack = inboundStack({ policy: trusting });
  await stack.serve(stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "0" } }));
  const failure = new Error("application");
  await expect(stack.serve(stack.start({ app: () => Promise.reject(failure) }))).rejects.toBe(failure);
  const thrower = () => {
    throw failure;
  };
  await expect(stack.serve(stack.start({ app: thrower }))).rejects.toBe(failure);
  const body = new PushBody(null);
  await stack.serve(stack.start({ app: answering(body) }));
  body.fail(failure);
  expect(stack.inFlight.count).toBe(0);
});

test("what outlives the response keeps the trace alone: no deadline, no retry mark, no request", async () => {
  const stack = inboundStack({ policy: trusting });
  const body = new PushBody(null);
  let scope: Scope | null = null;
  const app = async () => {
    scope = currentScope();
    return answering(body)();
  };
  const headers = { [EXPECTED_TIMEOUT_HEADER]: "250", "x-envoy-attempt-count": "2", traceparent: TRACEPARENT };
  await stack.serve(stack.start({ headers, app }));
  expect(scope).toMatchObject({ deadlineAt: 250, isRetry: true, trace: { traceparent: TRACEPARENT } });
  body.end(null);
  expect(scope).toMatchObject({ deadlineAt: Number.POSITIVE_INFINITY, isRetry: false, inbound: null, trace: { traceparent: TRACEPARENT } });
});

test("what outlives a caller that left keeps the trace alone, even before there is a response", async () => {
  const stack = inboundStack({ policy: trusting });
  const started = stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "250" }, app: () => new Promise(() => {}) });
  void stack.serve(started);
  expect(started.request.context.scope?.deadlineAt).toBe(250);
  started.request.cancel.cancel(new Error("gone"));
  expect(started.request.context.scope?.deadlineAt).toBe(Number.POSITIVE_INFINITY);
});

test("two requests have scopes of their own", async () => {
  const stack = inboundStack({ policy: trusting });
  const first = stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "100" }, app: () => new Promise(() => {}) });
  const second = stack.start({ headers: {}, app: () => new Promise(() => {}) });
  void stack.serve(first);
  void stack.serve(second);
  expect(first.request.context.scope?.deadlineAt).toBe(100);
  expect(second.request.context.scope?.deadlineAt).toBe(Number.POSITIVE_INFINITY);
  expect(currentScope()).toBeNull();
});

test("the signal aborts with deadline_exceeded when the deadline passes", async () => {
  const stack = inboundStack({ policy: trusting });
  const started = stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "250" }, app: () => new Promise(() => {}) });
  void stack.serve(started);
  const { signal } = started.inbound;
  await stack.clock.advance(249);
  expect(signal.aborted).toBe(false);
  await stack.clock.advance(2);
  expect(signal.reason).toMatchObject({ code: "deadline_exceeded" });
  expect(started.inbound.remainingMs()).toBe(0);
});

test("the signal aborts with the reason when the caller leaves, read before or after", async () => {
  const stack = inboundStack();
  const before = stack.start({ app: () => new Promise(() => {}) });
  const after = stack.start({ app: () => new Promise(() => {}) });
  const reason = new Error("gone");
  const { signal } = before.inbound;
  for (const started of [before, after]) {
    void stack.serve(started);
    started.request.cancel.cancel(reason);
  }
  expect([signal.reason, after.inbound.signal.reason]).toEqual([reason, reason]);
});

test("success does not abort the signal, and leaves no timer behind that could", async () => {
  const stack = inboundStack({ policy: trusting });
  let signal: AbortSignal | undefined;
  const app = async () => {
    signal = context()?.signal;
    return answering()();
  };
  await stack.serve(stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "250" }, app }));
  await stack.clock.advance(1_000);
  expect(signal?.aborted).toBe(false);
});

test("a deadline that was lifted aborts nothing and binds nothing", async () => {
  const stack = inboundStack({ policy: trusting });
  const started = stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "250" }, app: () => new Promise(() => {}) });
  void stack.serve(started);
  const { signal } = started.inbound;
  liftDeadline(started.request);
  await stack.clock.advance(1_000);
  expect(signal.aborted).toBe(false);
  expect(started.request.context.scope?.deadlineAt).toBe(Number.POSITIVE_INFINITY);
});

test("a request whose signal is not read makes no timer", async () => {
  const stack = inboundStack({ policy: trusting });
  void stack.serve(stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "250" }, app: () => new Promise(() => {}) }));
  expect(stack.clock.pendingTimers).toBe(0);
});

test("the deadline as a date is by the wall clock, and stays the same", async () => {
  const stack = inboundStack({ policy: trusting });
  const started = stack.start({ headers: { [EXPECTED_TIMEOUT_HEADER]: "250" }, app: () => new Promise(() => {}) });
  const wall = stack.clock.wallTime();
  void stack.serve(started);
  expect(started.inbound.deadline?.getTime()).toBe(wall + 250);
  await stack.clock.advance(100);
  expect(started.inbound.deadline?.getTime()).toBe(wall + 250);
  expect(started.inbound.remainingMs()).toBe(150);
});

test("context() is req.mesh inside of a request and nothing outside of one", async () => {
  const stack = inboundStack();
  let seen: unknown;
  const app = async () => {
    seen = context();
    return answering()();
  };
  const started = stack.start({ app });
  await stack.serve(started);
  expect(seen).toBe(started.inbound);
  expect(context()).toBeUndefined();
});

test("a request that names no application is a mistake of its listener", async () => {
  const stack = inboundStack();
  const started = stack.start();
  started.request.context.app = null;
  await expect(stack.serve(started)).rejects.toThrow(TypeError);
});

test("layers of the user's own run below log and readiness, in the scope of the request, and may refuse", async () => {
  const calls: string[] = [];
  const named =
    (name: string): Layer =>
    (next) =>
    (request) => {
      calls.push(context() === undefined ? `${name} out of scope` : name);
      return next(request);
    };
  const refuse: Layer = () => async () => ({ status: 403, headers: {}, body: PushBody.of(null) });
  const stack = inboundStack({ accessLog: named("log"), layers: [named("first"), named("second"), refuse] });
  const app = async () => {
    calls.push("application");
    return answering()();
  };
  expect((await stack.serve(stack.start({ app }))).status).toBe(403);
  expect(calls).toEqual(["log", "first", "second"]);
  const unready = inboundStack({ isReady: () => false, layers: [named("layer")] });
  expect((await unready.serve(unready.start())).status).toBe(503);
  expect(calls).not.toContain("layer");
});

test("a layer that throws, before it was asked to wait for anything, leaves nothing counted", async () => {
  const stack = inboundStack({
    layers: [
      () => () => {
        throw new Error("broken");
      },
    ],
  });
  await expect(stack.serve(stack.start())).rejects.toThrow("broken");
  expect(stack.inFlight.count).toBe(0);
});
