import { type Clock, systemClock, type Timer } from "@heddle/core";

export interface SkippingClock extends Clock {
  /** It is `ms` later: what is due by then runs now. Everything else goes on in real time. */
  skip(ms: number): void;
}

interface Pending {
  readonly dueAt: number;
  readonly run: () => void;
  readonly real: Timer;
}

/** The system's clock, for what takes minutes by the clock of the mesh and seconds by that of its connections. */
export function skippingClock(): SkippingClock {
  const pending = new Set<Pending>();
  let skipped = 0;
  const now = () => systemClock.now() + skipped;
  return {
    now,
    wallTime: () => systemClock.wallTime() + skipped,
    setTimer(delayMs, callback, idle) {
      const run = () => {
        pending.delete(timer);
        callback();
      };
      const timer: Pending = { dueAt: now() + delayMs, run, real: systemClock.setTimer(delayMs, run, idle) };
      pending.add(timer);
      return timer;
    },
    clearTimer(timer) {
      const known = timer as Pending;
      systemClock.clearTimer(known.real);
      pending.delete(known);
    },
    skip(ms) {
      skipped += ms;
      for (const { dueAt, run, real } of [...pending]) {
        if (dueAt > now()) continue;
        systemClock.clearTimer(real);
        run();
      }
    },
  };
}
