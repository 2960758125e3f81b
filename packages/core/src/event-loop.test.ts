import { expect, test } from "vitest";
import { type VirtualClock, virtualClock } from "../test/virtual-clock.ts";
import { EventLoop } from "./event-loop.ts";

/** A loop that somebody asked already, so that it is watched. */
function watched(): { readonly clock: VirtualClock; readonly loop: EventLoop; total(): number } {
  const clock = virtualClock();
  const loop = new EventLoop(clock);
  const total = () => loop.blockedMs(clock.now());
  expect(total()).toBe(0);
  return { clock, loop, total };
}

test("a loop that comes in time was not blocked", async () => {
  const { clock, total } = watched();
  for (let step = 0; step < 100; step++) await clock.advance(37);
  expect(total()).toBe(0);
});

test("a block of 2 s counts, while it lasts and after it, once", async () => {
  const { clock, total } = watched();
  await clock.advance(100);
  clock.block(2_000);
  expect(total()).toBeCloseTo(1_950, -2);
  const during = total();
  await clock.advance(0);
  expect(total()).toBe(during);
  await clock.advance(10_000);
  expect(total()).toBe(during);
});

test("blocks add up, those of 100 ms and less aside", async () => {
  const { clock, total } = watched();
  for (const blockedMs of [90, 500, 100, 300]) {
    clock.block(blockedMs);
    await clock.advance(200);
  }
  expect(total()).toBeGreaterThan(650);
  expect(total()).toBeLessThanOrEqual(800);
});

test("nothing is watched once nobody has asked for 30 s, and again when somebody does", async () => {
  const { clock, total } = watched();
  await clock.advance(29_000);
  expect(clock.pendingTimers).toBe(1);
  await clock.advance(1_100);
  expect(clock.pendingTimers).toBe(0);
  expect(total()).toBe(0);
  expect(clock.pendingTimers).toBe(1);
  clock.block(1_000);
  expect(total()).toBeGreaterThan(900);
});

test("closed, it leaves no timer and sets none", () => {
  const { clock, loop, total } = watched();
  loop.close();
  expect(clock.pendingTimers).toBe(0);
  total();
  expect(clock.pendingTimers).toBe(0);
});
