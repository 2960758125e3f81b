import { AsyncLocalStorage } from "node:async_hooks";
import fc from "fast-check";
import { expect, test } from "vitest";
import { virtualClock } from "../test/virtual-clock.ts";
import { Deadlines } from "./deadlines.ts";

test("calls back once, after the duration and not before", () => {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  const calls: number[] = [];
  deadlines.add(50, () => calls.push(clock.now()));
  clock.tick(48);
  expect(calls).toEqual([]);
  clock.tick(2);
  expect(calls).toEqual([50]);
  clock.tick(1_000);
  expect(calls).toEqual([50]);
});

test("a fraction of a millisecond is rounded up", () => {
  const clock = virtualClock();
  const calls: number[] = [];
  new Deadlines(clock).add(10.2, () => calls.push(clock.now()));
  clock.tick(10);
  expect(calls).toEqual([]);
  clock.tick(1);
  expect(calls).toEqual([11]);
});

test("what was removed is not called, also when it is removed by another one's callback", () => {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  const calls: string[] = [];
  const removed = deadlines.add(10, () => calls.push("removed"));
  deadlines.remove(removed);
  deadlines.remove(removed);
  deadlines.add(10, () => {
    calls.push("first");
    deadlines.remove(second);
  });
  const second = deadlines.add(10, () => calls.push("second"));
  deadlines.add(10, () => calls.push("third"));
  clock.tick(20);
  expect(calls).toEqual(["first", "third"]);
});

test("says how late it ran after the event loop was blocked", () => {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  const late: number[] = [];
  deadlines.add(100, (lateMs) => late.push(lateMs));
  clock.block(350);
  deadlines.add(100, (lateMs) => late.push(lateMs));
  clock.tick(0);
  expect(late).toEqual([250]);
  clock.tick(100);
  expect(late).toEqual([250, 0]);
});

test("what sets itself again from its callback costs one timer, and none after close", () => {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  const calls: number[] = [];
  const again = () => {
    calls.push(clock.now());
    deadlines.add(10, again);
  };
  deadlines.add(10, again);
  for (let round = 0; round < 5; round++) clock.tick(10);
  expect(calls).toEqual([10, 20, 30, 40, 50]);
  expect(clock.pendingTimers).toBe(1);
  deadlines.close();
  expect(clock.pendingTimers).toBe(0);
});

test("one duration needs one timer, and none is left once everything has expired", () => {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  for (let index = 0; index < 100; index++) deadlines.add(1_000, () => {});
  deadlines.add(2_000, () => {});
  expect(clock.pendingTimers).toBe(2);
  clock.tick(2_000);
  expect(clock.pendingTimers).toBe(0);
});

test("a timer whose entries were all removed runs out without being armed again", () => {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  for (let index = 0; index < 10; index++) deadlines.remove(deadlines.add(1_000, () => {}));
  clock.tick(1_000);
  expect(clock.pendingTimers).toBe(0);
});

test("close forgets everything and leaves no timer", () => {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  const calls: number[] = [];
  deadlines.add(10, () => calls.push(10));
  deadlines.add(20, () => calls.push(20));
  deadlines.close();
  expect(clock.pendingTimers).toBe(0);
  clock.tick(100);
  expect(calls).toEqual([]);
});

test("close within a callback forgets what was due at the same time", () => {
  const clock = virtualClock();
  const deadlines = new Deadlines(clock);
  const calls: string[] = [];
  deadlines.add(10, () => {
    calls.push("first");
    deadlines.close();
  });
  deadlines.add(10, () => calls.push("second"));
  deadlines.add(10, () => calls.push("third"));
  clock.tick(100);
  expect(calls).toEqual(["first"]);
  expect(clock.pendingTimers).toBe(0);
});

test("whatever is added and removed, each entry that stays is called once, in time and in the order of its duration, and no timer is left", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), ms: fc.double({ min: 0, max: 300, noNaN: true }) }),
    fc.record({ kind: fc.constant("remove" as const), index: fc.nat(30) }),
    fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 120 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = virtualClock();
      const deadlines = new Deadlines(clock);
      const entries: { dueAt: number; ms: number; entry: ReturnType<Deadlines["add"]>; calls: number; removed: boolean }[] = [];
      const order: number[] = [];
      for (const step of steps) {
        if (step.kind === "pass") clock.tick(step.ms);
        else if (step.kind === "add") {
          const index = entries.length;
          const ms = Math.ceil(step.ms);
          const entry = deadlines.add(step.ms, () => {
            const own = entries[index] as (typeof entries)[number];
            own.calls++;
            order.push(index);
            // Timers may run 1 ms early, so entries of one queue may too.
            expect(clock.now()).toBeGreaterThanOrEqual(own.dueAt - 1);
            expect(clock.now()).toBeLessThanOrEqual(own.dueAt + 1);
          });
          entries.push({ dueAt: clock.now() + ms, ms, entry, calls: 0, removed: false });
        } else {
          const own = entries[step.index];
          if (own && own.calls === 0) own.removed = true;
          if (own) deadlines.remove(own.entry);
        }
      }
      clock.tick(1_000);
      for (const { calls, removed } of entries) expect(calls).toBe(removed ? 0 : 1);
      for (const ms of new Set(entries.map((entry) => entry.ms))) {
        const ofOne = order.filter((index) => entries[index]?.ms === ms);
        expect(ofOne).toEqual([...ofOne].sort((a, b) => a - b));
      }
      expect(clock.pendingTimers).toBe(0);
    }),
  );
});

test("a timer is set outside of the request whose deadline it is, whose stores it would keep", () => {
  const store = new AsyncLocalStorage<string>();
  const clock = virtualClock();
  const seen: (string | undefined)[] = [];
  const deadlines = new Deadlines({
    ...clock,
    setTimer(delayMs, callback) {
      seen.push(store.getStore());
      return clock.setTimer(delayMs, callback);
    },
  });
  store.run("the request", () => deadlines.add(100, () => {}));
  expect(seen).toEqual([undefined]);
});
