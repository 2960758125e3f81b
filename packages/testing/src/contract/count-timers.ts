import type { Clock, Timer } from "@heddle/core";

/** The same clock, and which of the timers that were set on it are pending. */
export function countTimers(clock: Clock): { readonly clock: Clock; readonly pending: ReadonlySet<Timer> } {
  const pending = new Set<Timer>();
  return {
    pending,
    clock: {
      now: () => clock.now(),
      wallTime: () => clock.wallTime(),
      setTimer(delayMs, callback, idle) {
        const timer = clock.setTimer(
          delayMs,
          () => {
            pending.delete(timer);
            callback();
          },
          idle,
        );
        pending.add(timer);
        return timer;
      },
      clearTimer(timer) {
        pending.delete(timer);
        clock.clearTimer(timer);
      },
    },
  };
}
