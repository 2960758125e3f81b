import { expect, test } from "vitest";
import { virtualClock } from "../test/virtual-clock.ts";
import { Cancel, sleep } from "./cancel.ts";

test("the first reason wins and listeners run once, in order, before cancel returns", () => {
  const cancel = new Cancel();
  const heard: string[] = [];
  cancel.onCancel((reason) => heard.push(`one ${reason}`));
  cancel.onCancel((reason) => heard.push(`two ${reason}`));
  cancel.cancel("first");
  cancel.cancel("second");
  expect(heard).toEqual(["one first", "two first"]);
  expect(cancel).toMatchObject({ isCancelled: true, reason: "first" });
});

test("who listens after it was cancelled is told at once", () => {
  const cancel = new Cancel();
  cancel.cancel("gone");
  const heard: unknown[] = [];
  cancel.onCancel((reason) => heard.push(reason));
  expect(heard).toEqual(["gone"]);
});

test("who stopped listening is not told", () => {
  const cancel = new Cancel();
  const heard: string[] = [];
  const one = () => heard.push("one");
  const two = () => heard.push("two");
  cancel.onCancel(one);
  cancel.onCancel(two);
  cancel.offCancel(one);
  cancel.offCancel(() => {});
  cancel.cancel("gone");
  expect(heard).toEqual(["two"]);
});

test("sleep resolves after its time and listens no longer", async () => {
  const clock = virtualClock();
  const cancel = new Cancel();
  let awoke = Number.NaN;
  const sleeping = sleep(clock, 100, cancel).then(() => {
    awoke = clock.now();
  });
  await clock.advance(99);
  expect(awoke).toBeNaN();
  await clock.advance(1);
  await sleeping;
  expect(awoke).toBe(100);
  cancel.cancel("late");
});

test("a cancelled sleep rejects with the reason at once and leaves no timer", async () => {
  const clock = virtualClock();
  const cancel = new Cancel();
  const reason = new Error("enough");
  const sleeping = sleep(clock, 1_000, cancel);
  expect(clock.pendingTimers).toBe(1);
  cancel.cancel(reason);
  expect(clock.pendingTimers).toBe(0);
  await expect(sleeping).rejects.toBe(reason);
  await expect(sleep(clock, 1_000, cancel)).rejects.toBe(reason);
  expect(clock.pendingTimers).toBe(0);
});
