import { expect, test } from "vitest";
import { backendOf, endpointSetOf, requestOf, retryOf, routeOf, snapshotOf, timeoutOf, virtualHostOf } from "../../test/builders.ts";
import { type Answer, fails, hangs, status, streams, stuck } from "../../test/fake-transport.ts";
import { outboundStack } from "../../test/outbound-stack.ts";
import { MeshError } from "../errors.ts";
import { type HeaderMap, localResponse, type MeshResponse } from "../message.ts";
import type { RetryBudgetConfig } from "../model/backend.ts";
import type { RetryConfig } from "../model/route.ts";
import { PushBody } from "../push-body.ts";

interface Setting {
  readonly retry?: RetryConfig | "off" | null;
  readonly addresses?: readonly string[];
  readonly totalMs?: number;
  readonly retryBudget?: RetryBudgetConfig;
}

function stackWith({ retry = retryOf(), addresses = ["a:1", "b:1", "c:1"], totalMs, retryBudget }: Setting = {}) {
  const timeout = totalMs === undefined ? null : timeoutOf({ totalMs });
  const stack = outboundStack(
    snapshotOf({
      virtualHosts: [virtualHostOf({ routes: [routeOf({ retry, timeout })] })],
      backends: [backendOf(retryBudget ? { retryBudget } : {})],
      endpointSets: [endpointSetOf("reviews", addresses)],
    }),
  );
  const everywhere = (...answers: Answer[]) => {
    let next = 0;
    const answer: Answer = (request) => (answers[Math.min(next++, answers.length - 1)] as Answer)(request);
    for (const address of addresses) stack.transport.script(address, answer);
  };
  /** What comes of a request without any time passing. */
  const answer = async (parts: Parameters<typeof stack.send>[0] = {}) => {
    const sending = stack.send(parts);
    await stack.clock.advance(0);
    return { request: sending.request, response: await sending.response };
  };
  return { ...stack, everywhere, answer };
}

const addressesOf = (stack: ReturnType<typeof stackWith>) => stack.transport.sent.map(({ address }) => address);
const whys = (stack: ReturnType<typeof stackWith>, request: { context: { attempts: { why: string }[] } }) => {
  expect(stack.transport.sent).toHaveLength(request.context.attempts.length);
  return request.context.attempts.map(({ why }) => why);
};

async function bodyOf(response: MeshResponse): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    response.body.attach({ data: (chunk) => (text += Buffer.from(chunk)), end: () => resolve(text), fail: reject });
  });
}

test("a failed try is followed by one at another endpoint, as long as there is one", async () => {
  const stack = stackWith();
  stack.everywhere(status(503));
  const { response, request } = await stack.answer();
  expect(response.status).toBe(503);
  expect(new Set(addressesOf(stack))).toEqual(new Set(["a:1", "b:1", "c:1"]));
  expect(whys(stack, request)).toEqual(["retried", "retried", "2 of 2 retries used"]);
});

test("with one endpoint, the same is tried again", async () => {
  const stack = stackWith({ addresses: ["a:1"] });
  stack.transport.script("a:1", status(503), status(200, {}, "fine"));
  expect(await bodyOf((await stack.answer()).response)).toBe("fine");
});

test("a success is not repeated, and the record says what was tried", async () => {
  const stack = stackWith();
  stack.everywhere(fails("reset"), status(404));
  const { response, request } = await stack.answer();
  expect(response.status).toBe(404);
  expect(request.context.attempts.map(({ number, outcome, status }) => ({ number, outcome, status }))).toEqual([
    { number: 1, outcome: "reset", status: 0 },
    { number: 2, outcome: "response", status: 404 },
  ]);
  expect(request.context.attempts.map(({ endpoint }) => endpoint)).toEqual(addressesOf(stack));
});

test("after exhausted retries the last answer is returned with its body intact, the ones before are discarded", async () => {
  const stack = stackWith({ retry: retryOf({ maxRetries: 1 }) });
  const refused = new PushBody(null);
  refused.push(Buffer.from("first"));
  stack.everywhere(streams(refused, 503), status(503, {}, "second"));
  const response = (await stack.answer()).response;
  expect(await bodyOf(response)).toBe("second");
  expect(refused.isRead).toBe(true);
});

test("a refused answer whose body goes on is cut after 1 s and releases its endpoint", async () => {
  const stack = stackWith();
  const aborts: unknown[] = [];
  const refused = new PushBody({ pause() {}, resume() {}, abort: (reason) => aborts.push(reason) });
  stack.everywhere(streams(refused, 503), status(200));
  await stack.answer();
  const state = stack.dataPlane.backendState("reviews");
  expect(state.endpoints.all.reduce((sum, { inFlight }) => sum + inFlight, 0)).toBe(1);
  await stack.clock.advance(1_001);
  expect(aborts).toHaveLength(1);
  expect(state.endpoints.all.reduce((sum, { inFlight }) => sum + inFlight, 0)).toBe(0);
});

test("the last failure is the one that leaves, with all tries in its report", async () => {
  const stack = stackWith();
  stack.everywhere(fails("reset"));
  const { response } = stack.send();
  await stack.clock.advance(0);
  await expect(response).rejects.toMatchObject({
    code: "connection_reset",
    report: { attempts: [{ outcome: "reset" }, { outcome: "reset" }, { outcome: "reset", why: "2 of 2 retries used" }] },
  });
});

test("waits a random time up to the backoff, which doubles", async () => {
  const stack = stackWith({ retry: retryOf({ maxRetries: 3, backoff: { baseMs: 100, maxMs: 250 } }) });
  stack.everywhere(status(503));
  const { request } = stack.send();
  const started = () => request.context.attempts.map(({ startedAt }) => startedAt);
  await stack.clock.advance(600);
  const [first = Number.NaN, second = Number.NaN, third = Number.NaN, fourth = Number.NaN] = started();
  expect(first).toBe(0);
  for (const [waited, most] of [
    [second - first, 100],
    [third - second, 200],
    [fourth - third, 250],
  ] as const) {
    expect(waited).toBeGreaterThan(0);
    expect(waited).toBeLessThanOrEqual(most);
  }
});

test("Retry-After is honoured where it is longer than the backoff", async () => {
  const stack = stackWith();
  stack.everywhere(status(503, { "retry-after": "3" }), status(200));
  const { response } = stack.send();
  await stack.clock.advance(2_999);
  expect(stack.transport.sent).toHaveLength(1);
  await stack.clock.advance(1);
  expect((await response).status).toBe(200);
  expect(stack.transport.sent).toHaveLength(2);
});

test("a Retry-After that is too long ends the tries, and its answer is returned", async () => {
  const stack = stackWith({ retry: retryOf({ retryAfterMaxMs: 1_000 }) });
  stack.everywhere(status(503, { "retry-after": "2" }, "later"));
  const { response, request } = await stack.answer();
  expect(await bodyOf(response)).toBe("later");
  expect(whys(stack, request)).toEqual(["Retry-After of 2000ms is over 1000ms"]);
});

test("a spent budget ends the tries, and each request pays into it", async () => {
  const stack = stackWith({ retry: retryOf({ maxRetries: 10 }), addresses: ["a:1"], retryBudget: { percent: 20, minPerSecond: 0 } });
  stack.everywhere(status(503));
  for (let count = 0; count < 4; count++) {
    const { request } = await stack.answer();
    expect(request.context.attempts.map(({ why }) => why)).toEqual(["the retry budget is spent"]);
  }
  const { request } = await stack.answer();
  expect(request.context.attempts.map(({ why }) => why)).toEqual(["retried", "the retry budget is spent"]);
});

test("transparent retries are outside of the budget", async () => {
  const stack = stackWith({ retryBudget: { percent: 0, minPerSecond: 0 } });
  stack.everywhere(fails("connect-failure"), status(200));
  expect((await stack.answer({ method: "POST", body: "x" })).response.status).toBe(200);
});

test("where the deadline leaves no time for the wait, the answer is returned at once", async () => {
  const stack = stackWith({ totalMs: 2_000 });
  stack.everywhere(status(503, { "retry-after": "2" }, "later"));
  const { response, request } = await stack.answer();
  expect(await bodyOf(response)).toBe("later");
  expect(stack.clock.now()).toBe(0);
  expect(whys(stack, request)).toEqual(["no time left for another try"]);
});

test("a deadline that passes during a try ends the request", async () => {
  const stack = stackWith({ totalMs: 100 });
  stack.everywhere(hangs);
  const { response } = stack.send();
  await stack.clock.advance(100);
  await expect(response).rejects.toMatchObject({ code: "deadline_exceeded", status: 504 });
  expect(stack.transport.sent).toHaveLength(1);
});

test("a caller that leaves during the backoff gets its own reason, at once, and there is no further try", async () => {
  const stack = stackWith({ retry: retryOf({ backoff: { baseMs: 1_000, maxMs: 1_000 } }) });
  stack.everywhere(status(503));
  const { response, request } = stack.send();
  await stack.clock.advance(0);
  const reason = new Error("the user left");
  request.cancel.cancel(reason);
  await expect(response).rejects.toBe(reason);
  // Until the event loop is no longer watched, too.
  await stack.clock.advance(60_000);
  expect(stack.transport.sent).toHaveLength(1);
  expect(stack.clock.pendingTimers).toBe(0);
});

test("off means one try: not even a transparent retry, by the route or by the call", async () => {
  for (const [setting, options] of [
    [{ retry: "off" }, {}],
    [{}, { retry: false }],
  ] as const) {
    for (const failing of [fails("connect-failure"), fails("refused-stream"), fails("reset", { reusedConnection: true })]) {
      const stack = stackWith(setting);
      stack.everywhere(failing);
      const { response, request } = stack.send({ options });
      await expect(response).rejects.toMatchObject({ name: "MeshError" });
      expect(request.context.attempts).toHaveLength(1);
    }
  }
});

test("calls of a request that is itself a retry are not retried, transparent retries aside", async () => {
  const scope = { trace: null, tags: null, deadlineAt: Number.POSITIVE_INFINITY, isRetry: true };
  const stack = stackWith();
  stack.everywhere(status(503));
  const nested = stack.send({ scope });
  expect((await nested.response).status).toBe(503);
  expect(whys(stack, nested.request)).toEqual(["the caller is itself a retry"]);

  const again = stackWith();
  again.everywhere(fails("connect-failure"), status(200));
  expect((await again.answer({ scope })).response.status).toBe(200);
});

test("at most three transparent retries, and one because of the same endpoint", async () => {
  const many = stackWith({ retry: null, addresses: ["a:1", "b:1", "c:1", "d:1", "e:1", "f:1"] });
  many.everywhere(fails("connect-failure"));
  await expect(many.send().response).rejects.toMatchObject({ code: "connect_failed" });
  expect(new Set(addressesOf(many)).size).toBe(4);
  expect(many.transport.sent).toHaveLength(4);

  const one = stackWith({ retry: null, addresses: ["a:1"] });
  one.everywhere(fails("connect-failure"));
  await expect(one.send().response).rejects.toMatchObject({ code: "connect_failed" });
  expect(one.transport.sent).toHaveLength(2);
});

test("an unsafe request that may have been processed is sent once", async () => {
  for (const failing of [status(503), fails("reset"), fails("reset", { reusedConnection: true }), fails("protocol-error")]) {
    const stack = stackWith({ retry: retryOf({ on: ["5xx", "reset", 503] }) });
    stack.everywhere(failing);
    await stack.answer({ method: "POST", body: "pay" }).catch(() => {});
    expect(stack.transport.sent).toHaveLength(1);
  }
});

test("a try that takes too long is retried at another endpoint, and the slow one is stopped", async () => {
  const stack = stackWith({ retry: retryOf({ perTryTimeoutMs: 100 }), addresses: ["a:1", "b:1"] });
  stack.everywhere(hangs, status(200));
  const { response, request } = stack.send();
  await stack.clock.advance(100);
  expect((await response).status).toBe(200);
  expect(request.context.attempts.map(({ outcome }) => outcome)).toEqual(["attempt-timeout", "response"]);
  expect(stack.transport.sent[0]?.request.cancel.isCancelled).toBe(true);
  expect(request.cancel.isCancelled).toBe(false);
});

test("the receiver is told which try it is and how long it has", async () => {
  const stack = stackWith({ totalMs: 1_000, retry: retryOf({ backoff: { baseMs: 100, maxMs: 100 } }) });
  stack.everywhere(status(503));
  stack.send({ headers: { "x-own": "1" } });
  await stack.clock.advance(900);
  const told = stack.transport.sent.map(({ request: { headers, attempt } }) => ({
    count: headers["x-envoy-attempt-count"],
    left: Number(headers["x-envoy-expected-rq-timeout-ms"]) - Math.floor(1_000 - (attempt?.startedAt ?? 0)),
    own: headers["x-own"],
  }));
  expect(told).toEqual([
    { count: undefined, left: 0, own: "1" },
    { count: "2", left: 0, own: "1" },
    { count: "3", left: 0, own: "1" },
  ]);
});

test("without a deadline the first try carries neither header, and the caller's header object is not changed", async () => {
  const stack = stackWith();
  const headers: HeaderMap = { "x-own": "1" };
  stack.everywhere(status(503), status(200));
  await stack.answer({ headers });
  expect(Object.keys(stack.transport.sent[0]?.request.headers ?? {})).toEqual(["x-own"]);
  expect(stack.transport.sent[1]?.request.headers["x-envoy-attempt-count"]).toBe("2");
  expect(headers).toEqual({ "x-own": "1" });
});

/** Reads the request's body as a server would, then answers. */
function readsThen(answer: Answer, received: string[], mostChunks = Number.POSITIVE_INFINITY): Answer {
  return async (request) => {
    if (request.attempt) request.attempt.wasSent = true;
    let text = "";
    let chunks = 0;
    for await (const chunk of request.body as AsyncIterable<Uint8Array | string>) {
      text += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
      if (++chunks >= mostChunks) break;
    }
    received.push(text);
    return answer(request);
  };
}

async function* streamOf(chunks: readonly string[], done: { returned: number } = { returned: 0 }) {
  try {
    for (const chunk of chunks) yield chunk;
  } finally {
    done.returned++;
  }
}

test("a streamed body is sent whole with every try", async () => {
  const stack = stackWith();
  const received: string[] = [];
  stack.everywhere(readsThen(status(503), received), readsThen(status(503), received, 1), readsThen(status(200), received));
  await stack.answer({ method: "PUT", body: streamOf(["a", "b", "c"]) });
  expect(received).toEqual(["abc", "a", "abc"]);
});

test("a streamed body over 64 KiB is sent once and complete", async () => {
  const stack = stackWith();
  const received: string[] = [];
  stack.everywhere(readsThen(status(503), received));
  const chunks = Array.from({ length: 9 }, (_, index) => String(index).repeat(8_000));
  const { response, request } = await stack.answer({ method: "PUT", body: streamOf(chunks) });
  expect(response.status).toBe(503);
  expect(received).toEqual([chunks.join("")]);
  expect(whys(stack, request)).toEqual(["the body cannot be sent again"]);
});

test("a body that grows over 64 KiB while the next try is waited for is still sent whole", async () => {
  const stack = stackWith({ retry: retryOf({ backoff: { baseMs: 100, maxMs: 100 } }) });
  const chunks = Array.from({ length: 20 }, (_, index) => String.fromCharCode(97 + index).repeat(8_000));
  // The first server answers early; its transport goes on sending.
  const answersEarly: Answer = async (request) => {
    if (request.attempt) request.attempt.wasSent = true;
    const reader = (request.body as AsyncIterable<string>)[Symbol.asyncIterator]();
    await reader.next();
    const goOn = async () => {
      while (!(await reader.next()).done);
    };
    // Its body ends with an error, so that this server does not take the part for the whole.
    goOn().catch(() => {});
    return localResponse(503, null);
  };
  const received: string[] = [];
  stack.everywhere(answersEarly, readsThen(status(200), received));
  const { response } = stack.send({ method: "PUT", body: streamOf(chunks) });
  await stack.clock.advance(200);
  expect((await response).status).toBe(200);
  expect(received).toEqual([chunks.join("")]);
});

test("the source of a body is given back when the request is over, however it ended", async () => {
  const ends: [string, (stack: ReturnType<typeof stackWith>) => Promise<void>][] = [
    [
      "answered",
      async ({ everywhere, send }) => {
        everywhere(readsThen(status(200), [], 1));
        await send({ method: "PUT", body: source() }).response;
      },
    ],
    [
      "failed",
      async ({ everywhere, send }) => {
        everywhere(readsThen(fails("protocol-error"), [], 1));
        await send({ method: "PUT", body: source() }).response.catch(() => {});
      },
    ],
    [
      "cancelled during the backoff",
      async ({ everywhere, send, clock }) => {
        everywhere(readsThen(status(503), [], 1));
        const { request, response } = send({ method: "PUT", body: source() });
        await clock.advance(0);
        request.cancel.cancel(new Error("left"));
        await response.catch(() => {});
      },
    ],
  ];
  let done = { returned: 0 };
  // Stopping to read does not end a source: the replay stands between.
  const source = () => streamOf(["a", "b", "c"], done);
  for (const [name, run] of ends) {
    done = { returned: 0 };
    const stack = stackWith({ retry: retryOf({ backoff: { baseMs: 1_000, maxMs: 1_000 } }) });
    await run(stack);
    await stack.clock.advance(0);
    expect(done.returned, name).toBe(1);
  }
});

test("a response that has begun is never tried again", async () => {
  const stack = stackWith();
  const body = new PushBody(null);
  stack.everywhere(streams(body), status(200));
  const response = (await stack.answer()).response;
  const reading = bodyOf(response);
  body.push(Buffer.from("half"));
  body.fail(new Error("cut"));
  await expect(reading).rejects.toThrow("cut");
  expect(stack.transport.sent).toHaveLength(1);
});

test("what an open breaker or a limit refuses is not retried", async () => {
  const stack = outboundStack(
    snapshotOf({
      virtualHosts: [virtualHostOf({ routes: [routeOf({ retry: retryOf({ on: ["5xx", "connect-failure", 503] }) })] })],
      backends: [backendOf({ limits: { maxConnections: 1, maxPending: 1, maxRequests: null } })],
    }),
  );
  stack.transport.script("a:1", stuck);
  stack.send();
  const { response, request } = stack.send();
  await expect(response).rejects.toMatchObject({ code: "overloaded" });
  expect(request.context.attempts).toHaveLength(1);
  expect(requestOf().context.attempts).toHaveLength(0);
});

test("a try that failed because the request was over says what ended it", async () => {
  for (const [reason, why] of [
    [new Error("left"), "the caller gave up"],
    [new MeshError("closed", "the mesh was closed"), "the mesh was closed"],
    [new MeshError("attempt_timeout", "the policy gave the try up"), "the named policy gave up"],
  ] as const) {
    for (const retry of [retryOf(), "off"] as const) {
      const stack = stackWith({ retry });
      stack.everywhere(hangs);
      const { request } = stack.send();
      await stack.clock.advance(0);
      request.cancel.cancel(reason);
      await stack.clock.advance(0);
      expect(whys(stack, request)).toEqual([why]);
    }
  }
  const late = stackWith({ totalMs: 100 });
  late.everywhere(hangs);
  const { request } = late.send();
  await late.clock.advance(100);
  expect(whys(late, request)).toEqual(["the deadline was over"]);
});

test("a try whose repetition was being waited for does not say that it was repeated when the caller gives up", async () => {
  const stack = stackWith({ retry: retryOf({ backoff: { baseMs: 10_000, maxMs: 10_000 } }) });
  stack.everywhere(status(503));
  const { request } = stack.send();
  await stack.clock.advance(0);
  expect(request.context.attempts[0]?.why).toBe("retried");
  request.cancel.cancel(new Error("left"));
  await stack.clock.advance(0);
  expect(whys(stack, request)).toEqual(["the caller gave up"]);
});

test("without retries a failed try says whose word that was, and one that went well says nothing", async () => {
  for (const [parts, retry, why] of [
    [{}, "off", "retries are off"],
    [{ options: { retry: false as const } }, retryOf(), "the call says retry: false"],
  ] as const) {
    for (const answer of [status(503), fails("reset")]) {
      const stack = stackWith({ retry });
      stack.everywhere(answer);
      const { request, response } = stack.send(parts);
      await response.catch(() => {});
      expect(whys(stack, request)).toEqual([why]);
    }
  }
  const well = stackWith({ retry: "off" });
  expect(whys(well, (await well.answer()).request)).toEqual([""]);
});
