import type { Clock } from "./clock.ts";

/**
 * Why and whether work should stop: one per request, one more per attempt that can be stopped alone.
 * Cheaper than AbortSignal, which exists at the front doors only. The first reason wins; listeners run once, synchronously.
 */
export class Cancel {
  reason: unknown = undefined;
  isCancelled = false;
  #listeners: ((reason: unknown) => void)[] | null = null;

  cancel(reason: unknown): void {
    if (this.isCancelled) return;
    this.isCancelled = true;
    this.reason = reason;
    const listeners = this.#listeners;
    this.#listeners = null;
    if (listeners) for (const listener of listeners) listener(reason);
  }

  /** Runs at once if already cancelled. */
  onCancel(listener: (reason: unknown) => void): void {
    if (this.isCancelled) listener(this.reason);
    else if (this.#listeners) this.#listeners.push(listener);
    else this.#listeners = [listener];
  }

  offCancel(listener: (reason: unknown) => void): void {
    const listeners = this.#listeners;
    if (!listeners) return;
    const index = listeners.indexOf(listener);
    if (index >= 0) listeners.splice(index, 1);
  }
}

/** Waits `delayMs`; rejects with the reason as soon as `cancel` is cancelled. Keeps the process alive. */
export function sleep(clock: Clock, delayMs: number, cancel: Cancel): Promise<void> {
  return new Promise((resolve, reject) => {
    if (cancel.isCancelled) {
      reject(cancel.reason);
      return;
    }
    const stop = (reason: unknown) => {
      clock.clearTimer(timer);
      reject(reason);
    };
    const timer = clock.setTimer(delayMs, () => {
      cancel.offCancel(stop);
      resolve();
    });
    cancel.onCancel(stop);
  });
}
