import { readFile } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { VIRTUAL_EPOCH_MS, virtualClock } from "./virtual-clock.ts";

test("runs timers in the order of their time, and those of one moment in the order they were made", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 12 }), async (delays) => {
      const clock = virtualClock();
      const ran: { index: number; at: number }[] = [];
      for (const [index, delay] of delays.entries()) clock.setTimer(delay, () => ran.push({ index, at: clock.now() }));
      await clock.advance(5);
      const expected = delays.map((at, index) => ({ index, at })).sort((a, b) => a.at - b.at || a.index - b.index);
      expect(ran).toEqual(expected);
    }),
    { numRuns: 30 },
  );
});

test("does not run a timer that is due later, and runs one that is due exactly then", async () => {
  const clock = virtualClock();
  const ran: string[] = [];
  clock.setTimer(25, () => ran.push("due"));
  clock.setTimer(25.1, () => ran.push("later"));
  await clock.advance("25ms");
  expect(ran).toEqual(["due"]);
  expect(clock.now()).toBe(25);
  expect(clock.pendingTimers).toBe(1);
});

test("runs what timers and promises schedule on the way, at its own time", async () => {
  const clock = virtualClock();
  const times: number[] = [];
  const work = async () => {
    for (let round = 0; round < 3; round++) {
      await new Promise<void>((resolve) => clock.setTimer(10, resolve));
      for (let hop = 0; hop < 30; hop++) await Promise.resolve();
      times.push(clock.now());
    }
  };
  void work();
  await clock.advance(30);
  expect(times).toEqual([10, 20, 30]);
});

test("lets long chains of zero-time hops settle between two timers", async () => {
  const clock = virtualClock();
  const seen: string[] = [];
  clock.setTimer(10, async () => {
    for (let hop = 0; hop < 40; hop++) await nextTurn();
    // Many, since a read ends with the closing of its file, which must be waited for as well.
    for (let read = 0; read < 50; read++) await readFile(new URL(import.meta.url));
    seen.push(`hops done at ${clock.now()}`);
  });
  clock.setTimer(11, () => seen.push("next timer"));
  await clock.advance(20);
  expect(seen).toEqual(["hops done at 10", "next timer"]);
});

test("a cleared timer does not run, even one cleared by another of the same moment", async () => {
  const clock = virtualClock();
  const ran: string[] = [];
  clock.setTimer(1, () => clock.clearTimer(second));
  const second = clock.setTimer(1, () => ran.push("second"));
  clock.clearTimer(clock.setTimer(1, () => ran.push("third")));
  await clock.advance(1);
  clock.clearTimer(second);
  expect(ran).toEqual([]);
  expect(clock.pendingTimers).toBe(0);
});

test("wall time starts at a fixed moment and goes with the clock", async () => {
  const clock = virtualClock();
  expect(clock.wallTime()).toBe(VIRTUAL_EPOCH_MS);
  await clock.advance("1m30s");
  expect(clock.wallTime() - VIRTUAL_EPOCH_MS).toBe(90_000);
});

test("advance rejects with what a callback throws and goes on from there", async () => {
  const clock = virtualClock();
  clock.setTimer(5, () => {
    throw new Error("broken timer");
  });
  await expect(clock.advance(10)).rejects.toThrow("broken timer");
  await clock.advance(10);
  expect(clock.now()).toBe(15);
});

test("advances that overlap run one after the other", async () => {
  const clock = virtualClock();
  const both = Promise.all([clock.advance(10), clock.advance(10)]);
  await both;
  expect(clock.now()).toBe(20);
});

test("refuses what is not a duration", () => {
  expect(() => virtualClock().advance("soon")).toThrow(/advance: "soon"/);
});
