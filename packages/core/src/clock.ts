import { performance } from "node:perf_hooks";

/** A pending timer of a {@link Clock}; opaque, only good for `clearTimer`. */
export type Timer = object;

/**
 * Time, passed in. Everything in the mesh that waits or measures takes one, so that every policy can be tested in virtual time.
 * All values are milliseconds.
 */
export interface Clock {
  /** Monotonic time with fractions. Never goes back, has no meaning outside this process. */
  now(): number;
  /** Time since the Unix epoch. May jump; only for what people or other machines read. */
  wallTime(): number;
  /** Calls back once. An `idle` timer does not keep the process alive. */
  setTimer(delayMs: number, callback: () => void, idle?: "idle"): Timer;
  clearTimer(timer: Timer): void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallTime: () => Date.now(),
  setTimer(delayMs, callback, idle) {
    const timer = setTimeout(callback, delayMs);
    if (idle) timer.unref();
    return timer;
  },
  clearTimer(timer) {
    clearTimeout(timer as NodeJS.Timeout);
  },
};
