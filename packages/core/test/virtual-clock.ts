import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../src/clock.ts";

interface VirtualTimer {
  readonly atMs: number;
  readonly callback: () => void;
}

export interface VirtualClock extends Clock {
  /** Lets time pass; timers run at their time, and promises settle before, between and after. */
  advance(ms: number): Promise<void>;
  /** The same without waiting for promises. */
  tick(ms: number): void;
  /** The event loop is blocked: time passes and no timer runs. */
  block(ms: number): void;
  readonly pendingTimers: number;
}

/** Starts at 0, which is the epoch too. */
export function virtualClock(): VirtualClock {
  let now = 0;
  const timers = new Set<VirtualTimer>();
  const runNext = (untilMs: number): boolean => {
    let next: VirtualTimer | null = null;
    for (const timer of timers) if (timer.atMs <= untilMs && (next === null || timer.atMs < next.atMs)) next = timer;
    if (next === null) return false;
    timers.delete(next);
    now = Math.max(now, next.atMs);
    next.callback();
    return true;
  };
  return {
    now: () => now,
    wallTime: () => now,
    setTimer(delayMs, callback) {
      const timer = { atMs: now + Math.max(0, delayMs), callback };
      timers.add(timer);
      return timer;
    },
    clearTimer: (timer) => void timers.delete(timer as VirtualTimer),
    async advance(ms) {
      const untilMs = now + ms;
      do await nextTurn();
      while (runNext(untilMs));
      now = untilMs;
    },
    tick(ms) {
      const untilMs = now + ms;
      while (runNext(untilMs));
      now = untilMs;
    },
    block(ms) {
      now += ms;
    },
    get pendingTimers() {
      return timers.size;
    },
  };
}
