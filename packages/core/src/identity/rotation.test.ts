import { describe, expect, test } from "vitest";
import { virtualClock } from "../../test/virtual-clock.ts";
import { seededRandom } from "../random.ts";
import { DEFAULT_ROTATION, type Life, renewalMs, retryMs, rotationTiming } from "./rotation.ts";
import { RotationSchedule } from "./rotation-schedule.ts";

const HOUR = 3_600_000;
const life: Life = { notBeforeMs: 10 * HOUR, notAfterMs: 20 * HOUR };
const least = (): number => 0;
const most = (): number => 1 - Number.EPSILON;

describe("renewalMs", () => {
  test("is half of life, by chance up to a twentieth of life earlier, and never later", () => {
    expect(renewalMs(life, DEFAULT_ROTATION, least)).toBe(15 * HOUR);
    expect(renewalMs(life, DEFAULT_ROTATION, most)).toBeCloseTo(14.5 * HOUR, 0);
    const random = seededRandom(1);
    const moments = Array.from({ length: 2_000 }, () => renewalMs(life, DEFAULT_ROTATION, random));
    expect(Math.min(...moments)).toBeGreaterThanOrEqual(14.5 * HOUR);
    expect(Math.max(...moments)).toBeLessThanOrEqual(15 * HOUR);
    // Spread over all of it: a tenth of them in each tenth, give or take.
    const tenths = Array.from({ length: 10 }, (_, tenth) => moments.filter((ms) => Math.floor((ms / HOUR - 14.5) * 20) === tenth).length);
    expect(Math.min(...tenths)).toBeGreaterThan(150);
  });

  test("takes another share of life", () => {
    expect(renewalMs(life, rotationTiming({ fraction: 0.8 }), least)).toBe(18 * HOUR);
    expect(renewalMs(life, rotationTiming({ fraction: 0.8, jitter: 0 }), most)).toBe(18 * HOUR);
  });
});

describe("retryMs", () => {
  const now = 15 * HOUR;

  test("waits at least a second and at most a span that doubles to a minute", () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 60].map((failures) => Math.round(retryMs(failures, life, now, DEFAULT_ROTATION, most) - now));
    expect(longest).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    for (const failures of [1, 5, 1_000_000]) expect(retryMs(failures, life, now, DEFAULT_ROTATION, least)).toBe(now + 1_000);
    expect(retryMs(5, null, now, DEFAULT_ROTATION, least)).toBe(now + 1_000);
  });

  test("a pause that would reach into the last tenth of life ends where that begins, even where that is at once", () => {
    expect(retryMs(60, life, 19 * HOUR - 30_000, DEFAULT_ROTATION, most)).toBe(19 * HOUR);
    expect(retryMs(60, life, 19 * HOUR - 200, DEFAULT_ROTATION, most)).toBe(19 * HOUR - 200 + 1_000);
  });

  test("goes on within the margin, after expiry and without any certificate", () => {
    for (const [held, nowMs] of [
      [life, 19.5 * HOUR],
      [life, 30 * HOUR],
      [null, now],
    ] as const) {
      const next = retryMs(60, held, nowMs, DEFAULT_ROTATION, most);
      expect(next).toBeGreaterThan(nowMs + 50_000);
      expect(next).toBeLessThanOrEqual(nowMs + 60_000);
    }
  });
});

describe("rotationTiming", () => {
  test.each([
    [{ fraction: 0 }, "rotation.fraction: 0 must be above 0 and at most 0.9"],
    [{ fraction: 0.95 }, "rotation.fraction: 0.95"],
    [{ fraction: Number.NaN }, "rotation.fraction: NaN"],
    [{ jitter: 0.6 }, "rotation.jitter: 0.6 must be between 0 and fraction (0.5)"],
    [{ margin: 0.5 }, "rotation.margin: 0.5"],
    [{ backoff: { minMs: 0, maxMs: 1 } }, "rotation.backoff.minMs: 0"],
    [{ backoff: { minMs: 2, maxMs: 1 } }, "rotation.backoff.maxMs: 1"],
  ])("refuses %o", (given, message) => {
    expect(() => rotationTiming(given)).toThrow(message);
    expect(() => rotationTiming(given)).toThrow(TypeError);
  });
});

describe("RotationSchedule", () => {
  function scheduled(random = least) {
    const clock = virtualClock();
    const asked: number[] = [];
    const schedule = new RotationSchedule({ clock, random, timing: DEFAULT_ROTATION, renew: () => void asked.push(clock.wallTime()) });
    return { clock, asked, schedule };
  }

  test("asks once at the moment of renewal, and again only after an answer", async () => {
    const { clock, asked, schedule } = scheduled();
    schedule.renewed({ notBeforeMs: 0, notAfterMs: 100 * 24 * HOUR });
    expect(schedule.dueMs).toBe(50 * 24 * HOUR);
    await clock.advance(50 * 24 * HOUR - 1);
    expect(asked).toEqual([]);
    await clock.advance(1);
    expect(asked).toEqual([50 * 24 * HOUR]);
    await clock.advance(100 * HOUR);
    expect(asked).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test("tries again after failures, with pauses that grow, and forgets them once it is renewed", async () => {
    const { clock, asked, schedule } = scheduled(most);
    for (let failures = 0; failures < 8; failures += 1) {
      schedule.failed();
      await clock.advance(schedule.dueMs === null ? 0 : schedule.dueMs - clock.wallTime());
    }
    const pauses = asked.map((ms, index) => Math.round((ms - (asked[index - 1] ?? 0)) / 1_000));
    expect(pauses).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
    const nowMs = clock.wallTime();
    schedule.renewed({ notBeforeMs: nowMs, notAfterMs: nowMs + 10 * HOUR });
    schedule.failed();
    expect(Math.round((schedule.dueMs ?? 0) - nowMs)).toBe(2_000);
  });

  test("a suspended machine renews at most a minute after it wakes", async () => {
    const { clock, asked, schedule } = scheduled();
    const wall = { skippedMs: 0 };
    const suspended = new RotationSchedule({
      clock: { ...clock, wallTime: () => clock.wallTime() + wall.skippedMs },
      random: least,
      timing: DEFAULT_ROTATION,
      renew: () => void asked.push(clock.wallTime()),
    });
    suspended.renewed({ notBeforeMs: 0, notAfterMs: 10 * HOUR });
    wall.skippedMs = 6 * HOUR;
    await clock.advance(60_000);
    expect(asked).toEqual([60_000]);
    schedule.close();
  });

  test("a life that is over half when it begins does not make it ask without a pause", async () => {
    const { clock, asked, schedule } = scheduled();
    await clock.advance(10_000);
    schedule.renewed({ notBeforeMs: 0, notAfterMs: 10_100 });
    await clock.advance(999);
    expect(asked).toEqual([]);
    await clock.advance(1);
    expect(asked).toEqual([11_000]);
  });

  test("closed, it asks no more and leaves no timer", async () => {
    const { clock, asked, schedule } = scheduled();
    schedule.renewed(life);
    schedule.close();
    schedule.close();
    await clock.advance(100 * HOUR);
    expect({ asked, timers: clock.pendingTimers, due: schedule.dueMs }).toEqual({ asked: [], timers: 0, due: null });
  });
});
