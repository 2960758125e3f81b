import fc from "fast-check";
import { expect, test } from "vitest";
import { tryOf } from "../../test/builders.ts";
import { virtualClock } from "../../test/virtual-clock.ts";
import type { Attempt } from "../context.ts";
import { MeshError } from "../errors.ts";
import { emptyHeaders, localResponse, type MeshResponse } from "../message.ts";
import type { BreakerConfig } from "../model/backend.ts";
import { PushBody } from "../push-body.ts";
import { Breaker, breakerLayer, type Permit } from "./breaker.ts";

function configOf(parts: Partial<BreakerConfig> = {}): BreakerConfig {
  return { engine: "native", consecutiveFailures: 3, failurePercent: null, minRequests: 4, windowMs: 10_000, openForMs: 5_000, ...parts };
}

const breakerOf = (parts: Partial<BreakerConfig> = {}) => new Breaker(configOf(parts), 0);

function call(breaker: Breaker, verdict: "success" | "failure" | "neutral", now: number): void {
  const permit = breaker.admit(now);
  if (permit === null) throw new Error(`refused at ${now}`);
  breaker.settle(permit, verdict, now);
}

function opened(parts: Partial<BreakerConfig> = {}): Breaker {
  const breaker = breakerOf(parts);
  for (let count = 0; count < 3; count++) call(breaker, "failure", 0);
  expect(breaker.state(0)).toBe("open");
  return breaker;
}

test("opens after so many failures in a row, and not before", () => {
  const breaker = breakerOf();
  call(breaker, "failure", 0);
  call(breaker, "failure", 0);
  call(breaker, "success", 0);
  call(breaker, "failure", 0);
  call(breaker, "failure", 0);
  expect(breaker.state(0)).toBe("closed");
  call(breaker, "failure", 0);
  expect(breaker.state(0)).toBe("open");
  expect(breaker.admit(0)).toBe(null);
});

test("what says nothing neither counts nor breaks a row of failures", () => {
  const breaker = breakerOf();
  for (const verdict of ["failure", "neutral", "failure", "neutral", "failure"] as const) call(breaker, verdict, 0);
  expect(breaker.state(0)).toBe("open");
  const shared = breakerOf({ consecutiveFailures: null, failurePercent: 50 });
  for (const verdict of ["failure", "failure", "neutral", "neutral", "success"] as const) call(shared, verdict, 0);
  expect(shared.state(0)).toBe("closed");
  call(shared, "failure", 0);
  expect(shared.state(0)).toBe("open");
});

test("opens when a share of enough requests failed, at exactly that share", () => {
  const byShare = () => breakerOf({ consecutiveFailures: null, failurePercent: 50 });
  const few = byShare();
  for (let count = 0; count < 3; count++) call(few, "failure", 0);
  expect(few.state(0)).toBe("closed");

  const half = byShare();
  for (const verdict of ["success", "success", "failure", "failure"] as const) call(half, verdict, 0);
  expect(half.state(0)).toBe("open");

  const less = byShare();
  for (const verdict of ["success", "success", "success", "failure", "failure"] as const) call(less, verdict, 0);
  expect(less.state(0)).toBe("closed");
});

test("only the window counts for the share", () => {
  const breaker = breakerOf({ consecutiveFailures: null, failurePercent: 50 });
  for (let count = 0; count < 3; count++) call(breaker, "failure", 0);
  for (let count = 0; count < 4; count++) call(breaker, "success", 10_000);
  call(breaker, "failure", 10_000);
  expect(breaker.state(10_000)).toBe("closed");
  const within = breakerOf({ consecutiveFailures: null, failurePercent: 50 });
  for (let count = 0; count < 3; count++) call(within, "failure", 0);
  call(within, "failure", 9_999);
  expect(within.state(9_999)).toBe("open");
});

test("stays open for its time, then lets one call through as a probe", () => {
  const breaker = opened();
  expect(breaker.admit(4_999)).toBe(null);
  expect(breaker.retryInMs(4_000)).toBe(1_000);
  expect(breaker.state(5_000)).toBe("half-open");
  expect(breaker.admit(5_000)).not.toBe(null);
  expect(breaker.admit(5_000)).toBe(null);
  expect(breaker.retryInMs(5_000)).toBe(0);
});

test("a probe that succeeds closes, and counting begins anew", () => {
  const breaker = opened();
  call(breaker, "success", 5_000);
  expect(breaker.state(5_000)).toBe("closed");
  call(breaker, "failure", 5_000);
  call(breaker, "failure", 5_000);
  expect(breaker.state(5_000)).toBe("closed");
});

test("a probe that fails opens for the whole time again", () => {
  const breaker = opened();
  call(breaker, "failure", 6_000);
  expect(breaker.admit(10_999)).toBe(null);
  expect(breaker.admit(11_000)).not.toBe(null);
});

test("a probe that says nothing makes room for another", () => {
  const breaker = opened();
  call(breaker, "neutral", 5_000);
  expect(breaker.state(5_000)).toBe("half-open");
  call(breaker, "success", 5_000);
  expect(breaker.state(5_000)).toBe("closed");
});

test("a late success of a call that began before it opened does not close it, nor a late failure reopen it", () => {
  const breaker = breakerOf();
  const early = [breaker.admit(0), breaker.admit(0)] as Permit[];
  for (let count = 0; count < 3; count++) call(breaker, "failure", 0);
  breaker.settle(early[0] as Permit, "success", 1_000);
  expect(breaker.state(1_000)).toBe("open");
  const probe = breaker.admit(5_000) as Permit;
  breaker.settle(early[1] as Permit, "failure", 5_000);
  expect(breaker.state(5_000)).toBe("half-open");
  expect(breaker.admit(5_000)).toBe(null);
  breaker.settle(probe, "success", 5_000);
  expect(breaker.state(5_000)).toBe("closed");
});

test("a change of settings holds from then on and keeps the state", () => {
  const breaker = breakerOf();
  call(breaker, "failure", 0);
  breaker.configure(configOf({ consecutiveFailures: 2, openForMs: 100 }));
  call(breaker, "failure", 0);
  expect(breaker.state(0)).toBe("open");
  expect(breaker.state(100)).toBe("half-open");
});

test("in any history at most one call probes, and it never closes without a success", () => {
  const step = fc.record({
    what: fc.constantFrom("admit" as const, "success" as const, "failure" as const, "neutral" as const),
    index: fc.nat(5),
    afterMs: fc.constantFrom(0, 10, 1_000, 5_000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const breaker = breakerOf({ failurePercent: 50 });
      const running: { permit: Permit; isProbe: boolean }[] = [];
      let now = 0;
      for (const { what, index, afterMs } of steps) {
        now += afterMs;
        const before = breaker.state(now);
        if (what === "admit") {
          const permit = breaker.admit(now);
          if (before === "open") expect(permit).toBe(null);
          if (permit && before === "half-open") expect(running.some(({ isProbe }) => isProbe)).toBe(false);
          if (permit) running.push({ permit, isProbe: before === "half-open" });
          continue;
        }
        const [settled] = running.splice(index % Math.max(1, running.length), 1);
        if (!settled) continue;
        breaker.settle(settled.permit, what, now);
        if (before !== "closed" && breaker.state(now) === "closed") expect([what, settled.isProbe]).toEqual(["success", true]);
        if (settled.isProbe && what === "failure") expect(breaker.state(now)).toBe("open");
      }
    }),
    { numRuns: 500 },
  );
});

function layered() {
  const clock = virtualClock();
  const breaker = breakerOf();
  const send = async (answer: (attempt: Attempt) => MeshResponse | Promise<MeshResponse>) => {
    const request = tryOf();
    return breakerLayer("reviews", breaker, clock)(async ({ attempt }) => answer(attempt as Attempt))(request);
  };
  const answers =
    (status: number, body: PushBody | null = null) =>
    (attempt: Attempt) => {
      attempt.outcome = "response";
      attempt.status = status;
      return body === null ? localResponse(status, null) : { status, headers: emptyHeaders(), body };
    };
  return { clock, breaker, send, answers };
}

test("the layer counts what an answer means when its body has ended", async () => {
  const { breaker, send, answers } = layered();
  const bodies = Array.from({ length: 3 }, () => new PushBody(null));
  for (const body of bodies) await send(answers(503, body));
  expect(breaker.state(0)).toBe("closed");
  for (const body of bodies) body.end(null);
  expect(breaker.state(0)).toBe("open");
});

test("the layer refuses without trying while open, and says when it will probe", async () => {
  const { breaker, send, clock } = layered();
  let tries = 0;
  const failing = () => {
    tries++;
    return Promise.reject(new MeshError("connect_failed", "refused"));
  };
  for (let count = 0; count < 3; count++) await expect(send(failing)).rejects.toMatchObject({ code: "connect_failed" });
  clock.tick(1_500);
  await expect(send(failing)).rejects.toMatchObject({
    code: "breaker_open",
    message: "GET http://reviews/: reviews: the breaker is open; it lets a probe through in 3500ms",
  });
  expect(tries).toBe(3);
  expect(breaker.state(1_500)).toBe("open");
  clock.tick(3_500);
  const probe = send(() => new Promise<never>(() => {}));
  await expect(send(failing)).rejects.toMatchObject({
    message: "GET http://reviews/: reviews: the breaker is open and a probe is under way",
  });
  expect(probe).toBeInstanceOf(Promise);
});

test("a caller that leaves neither opens the breaker nor blocks its probe", async () => {
  const { breaker, clock, send } = layered();
  const leaving = (attempt: Attempt) => {
    attempt.outcome = "cancelled";
    return Promise.reject(new Error("left"));
  };
  for (let count = 0; count < 10; count++) await expect(send(leaving)).rejects.toThrow("left");
  expect(breaker.state(0)).toBe("closed");
  for (let count = 0; count < 3; count++) call(breaker, "failure", 0);
  clock.tick(5_000);
  await expect(send(leaving)).rejects.toThrow("left");
  expect(breaker.admit(5_000)).not.toBe(null);
});

test("a probe is over with a good head, however long its body takes", async () => {
  const { breaker, send, answers, clock } = layered();
  for (let count = 0; count < 3; count++) await send(answers(500));
  await clock.advance(5_000);
  await send(answers(200, new PushBody({ pause() {}, resume() {}, abort() {} })));
  expect(breaker.state(clock.now())).toBe("closed");
});
