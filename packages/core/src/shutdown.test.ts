import { expect, test } from "vitest";
import type { Clock } from "./clock.ts";
import { shutDown } from "./shutdown.ts";

/** A clock whose timers fire one after the other, the first of them so much too late, as after a block of the event loop. */
function clockBlockedFor(blockedMs: number): Clock {
  let now = 0;
  let lateMs = blockedMs;
  return {
    now: () => now,
    wallTime: () => now,
    setTimer(delayMs, callback) {
      queueMicrotask(() => {
        now += delayMs + lateMs;
        lateMs = 0;
        callback();
      });
      return {};
    },
    clearTimer() {},
  };
}

async function servedMs(clock: Clock, drainMs: number): Promise<number> {
  let closedAt = -1;
  const close = async () => {
    closedAt = clock.now();
  };
  await shutDown([{ drain() {}, close, destroy() {} }], drainMs, 0, clock);
  return closedAt;
}

test.each([
  { blockedMs: 0, servesMs: 320 },
  { blockedMs: 200, servesMs: 520 },
  { blockedMs: 5_000, servesMs: 5_050 },
])("a drain of 320 ms that is blocked for $blockedMs ms ends after $servesMs ms", async ({ blockedMs, servesMs }) => {
  expect(await servedMs(clockBlockedFor(blockedMs), 320)).toBe(servesMs);
});

test("without a drain, closing begins at once", async () => {
  expect(await servedMs(clockBlockedFor(0), 0)).toBe(0);
});
