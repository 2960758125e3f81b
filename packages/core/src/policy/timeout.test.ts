import { expect, test } from "vitest";
import { type RequestParts, requestOf, tryOf } from "../../test/builders.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import { Attempt, type CallOptions, runInScope } from "../context.ts";
import { Deadlines } from "../deadlines.ts";
import type { EventLoop } from "../event-loop.ts";
import type { Handler, Layer } from "../layer.ts";
import { emptyHeaders, type MeshRequest } from "../message.ts";
import { PushBody } from "../push-body.ts";
import { startOutbound } from "../request-start.ts";
import { deadline, tryTimeout } from "./timeout.ts";

/** A layer over an exchange that the test holds in its hands; it stops as the contract of everything beneath demands. */
function around(layerOf: (time: { clock: ReturnType<typeof virtualClock>; deadlines: Deadlines }) => Layer) {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  const body = new PushBody({ pause() {}, resume() {}, abort() {} });
  let giveHead: () => void = () => {};
  const seen: MeshRequest[] = [];
  const next: Handler = (request) => {
    seen.push(request);
    return new Promise((resolve, reject) => {
      let isOpen = true;
      request.cancel.onCancel((reason) => (isOpen ? reject(reason) : body.fail(reason)));
      giveHead = () => {
        isOpen = false;
        resolve({ status: 200, headers: emptyHeaders(), body });
      };
    });
  };
  const handler = layerOf({ clock, deadlines })(next);
  const start = (parts: RequestParts = {}, make: typeof requestOf = requestOf) => {
    const request = make({ startedAt: clock.now(), ...parts });
    const response = handler(request);
    response.catch(() => {});
    return { request, response };
  };
  return { clock, deadlines, body, seen, start, giveHead: () => giveHead() };
}

test("a deadline covers the wait for the head", async () => {
  const { clock, start } = around((time) => deadline(100, time));
  const { response, request } = start();
  await clock.advance(98);
  expect(request.cancel.isCancelled).toBe(false);
  await clock.advance(2);
  await expect(response).rejects.toMatchObject({
    code: "deadline_exceeded",
    status: 504,
    message: "GET http://reviews/: no complete response within 100ms",
  });
});

test("a deadline covers the body, until its last byte", async () => {
  const { clock, start, giveHead, body } = around((time) => deadline(100, time));
  const { response } = start();
  giveHead();
  await response;
  body.push(Buffer.from("half"));
  await clock.advance(100);
  expect(body.error).toMatchObject({ code: "deadline_exceeded" });
});

test("a response that is complete in time is left alone, and nothing stays behind", async () => {
  const { clock, start, giveHead, body } = around((time) => deadline(100, time));
  const { response, request } = start();
  giveHead();
  await response;
  await clock.advance(50);
  body.end(null);
  await clock.advance(1_000);
  expect(request.cancel.isCancelled).toBe(false);
  expect(body.error).toBe(null);
  expect(clock.pendingTimers).toBe(0);
});

test("time that the request spent before it came here counts", async () => {
  const { clock, start } = around((time) => deadline(100, time));
  clock.tick(80);
  const { response } = start({ startedAt: 0 });
  await clock.advance(20);
  await expect(response).rejects.toMatchObject({ code: "deadline_exceeded" });
});

test("the smaller of the route's and the inherited deadline holds", async () => {
  for (const [totalMs, inheritedAt, expected] of [
    [100, 50, 50],
    [100, 200, 100],
    [null, 70, 70],
  ] as const) {
    const { clock, start } = around((time) => deadline(totalMs, time));
    const request = requestOf();
    request.context.deadlineAt = inheritedAt;
    const { response } = start({}, () => request);
    await clock.advance(expected - 2);
    expect(request.cancel.isCancelled, `${totalMs} ${inheritedAt}`).toBe(false);
    await clock.advance(2);
    await expect(response).rejects.toMatchObject({ code: "deadline_exceeded" });
    expect(request.context.deadlineAt).toBe(expected);
  }
});

test("without any deadline nothing is waited for", async () => {
  const { clock, start, giveHead, body } = around((time) => deadline(null, time));
  const { response } = start();
  giveHead();
  await response;
  expect(clock.pendingTimers).toBe(0);
  body.end(null);
});

test("a request whose deadline has passed is not sent", async () => {
  const { clock, start, seen } = around((time) => deadline(100, time));
  clock.tick(100);
  await expect(start({ startedAt: 0 }).response).rejects.toMatchObject({
    code: "deadline_exceeded",
    message: "GET http://reviews/: the deadline had passed before it was sent",
  });
  expect(seen).toHaveLength(0);
});

test("a deadline that fires over 100 ms late is not held against the try; up to then it is", async () => {
  for (const [blockedMs, wasLate] of [
    [200, false],
    [201, true],
  ] as const) {
    const { clock, start } = around((time) => deadline(100, time));
    const { request, response } = start({}, tryOf);
    clock.block(blockedMs);
    await clock.advance(0);
    const error: Error = await response.then(
      () => new Error("answered"),
      (reason: Error) => reason,
    );
    expect(error).toMatchObject({ code: "deadline_exceeded" });
    expect(error.message.includes("; noticed 101ms late, because the event loop of this process was blocked")).toBe(wasLate);
    expect(request.context.attempts.at(-1)?.wasLate, String(blockedMs)).toBe(wasLate);
  }
});

test("a try's time covers the head alone, and stops that try alone", async () => {
  const { clock, start, seen } = around((time) => tryTimeout(100, time));
  const attempt = new Attempt(1, 0);
  attempt.endpoint = "a:1";
  const { request, response } = start({ attempt }, tryOf);
  await clock.advance(100);
  await expect(response).rejects.toMatchObject({
    code: "attempt_timeout",
    message: "GET http://reviews/: no response head from a:1 within 100ms",
  });
  expect(seen[0]?.cancel.isCancelled).toBe(true);
  expect(request.cancel.isCancelled).toBe(false);
});

test("after the head a try's time is over, and the request's cancel still reaches the body", async () => {
  const { clock, start, giveHead, body } = around((time) => tryTimeout(100, time));
  const { request, response } = start({}, tryOf);
  await clock.advance(50);
  giveHead();
  await response;
  await clock.advance(10_000);
  expect(body.hasEnded).toBe(false);
  const reason = new Error("left");
  request.cancel.cancel(reason);
  expect(body.error).toBe(reason);
});

test("a cancelled request stops its try with the same reason", async () => {
  const { start, seen } = around((time) => tryTimeout(100, time));
  const { request, response } = start({}, tryOf);
  const reason = new Error("left");
  request.cancel.cancel(reason);
  await expect(response).rejects.toBe(reason);
  expect(seen[0]?.cancel.reason).toBe(reason);
});

test("a try's time that fires over 100 ms late is not held against the endpoint", async () => {
  const { clock, start } = around((time) => tryTimeout(100, time));
  const { request, response } = start({}, tryOf);
  clock.block(201);
  await clock.advance(0);
  await expect(response).rejects.toMatchObject({
    code: "attempt_timeout",
    message: expect.stringMatching(/within 100ms; noticed 101ms late, because the event loop of this process was blocked$/),
  });
  expect(request.attempt?.wasLate).toBe(true);
});

test.each<[string, number]>([
  ["its body ended after the head", 1],
  ["its answer was complete at once", 0],
])("nothing listens to a request's cancel once its try is over because %s", async (_, endsAfterMs) => {
  const exchange = around((time) => tryTimeout(100, time));
  const { request, response } = exchange.start({}, tryOf);
  if (endsAfterMs === 0) exchange.body.end(null);
  else exchange.clock.setTimer(endsAfterMs, () => exchange.body.end(null));
  exchange.giveHead();
  await response;
  await exchange.clock.advance(endsAfterMs);
  request.cancel.cancel(new Error("late"));
  expect(exchange.seen[0]?.cancel.isCancelled).toBe(false);
  await exchange.clock.advance(1_000);
  expect(exchange.clock.pendingTimers).toBe(0);
});

test("a try that ran out of time in a process that was blocked for most of it is not held against the endpoint", async () => {
  for (const [blockedMs, wasLate] of [
    [900, false],
    [1_200, true],
  ] as const) {
    for (const layer of [deadline, tryTimeout]) {
      let loop: EventLoop | null = null;
      const { clock, start } = around((time) => {
        loop = time.deadlines.eventLoop;
        return layer(2_000, time);
      });
      const blockedBefore = (loop as EventLoop | null)?.blockedMs(0) ?? Number.NaN;
      const attempt = new Attempt(1, 0, blockedBefore);
      const { request, response } = start({ attempt }, tryOf);
      request.context.attempts.push(attempt);
      clock.block(blockedMs);
      await clock.advance(2_000 - blockedMs);
      const error: Error = await response.then(
        () => new Error("answered"),
        (reason: Error) => reason,
      );
      expect(error.message.includes("the event loop of this process was blocked for"), error.message).toBe(wasLate);
      expect(attempt.wasLate).toBe(wasLate);
    }
  }
});

test("a deadline says whose it was, whatever fractions the clock has", async () => {
  const clock = virtualClock();
  const send = deadline(1_000, { clock, deadlines: new Deadlines(clock) })(
    (request) => new Promise((_, reject) => request.cancel.onCancel(reject)),
  );
  const failureOf = (options?: CallOptions) => {
    const init = { method: "GET", scheme: "http", authority: "reviews", path: "/", headers: {}, body: null } as const;
    return send(startOutbound({ ...init, options }, clock)).catch((error: Error) => error.message);
  };
  for (let step = 1; step < 30; step++) {
    clock.tick(step / 7);
    const own = failureOf();
    const calls = failureOf({ timeout: "300ms" });
    const scope = { trace: null, tags: null, isRetry: false, deadlineAt: clock.now() + 200.7 };
    const inherited = runInScope(scope, () => failureOf());
    await clock.advance(1_001);
    expect(await own).toMatch(/within 1s$/);
    expect(await calls).toMatch(/within 300ms \(the call's timeout\)$/);
    expect(await inherited).toMatch(/within 201ms \(all that was left to the inbound request\)$/);
  }
});
