import type { Clock } from "./clock.ts";

/** A part of the process that serves or calls through the mesh. */
export interface Closing {
  /** Tell callers to go elsewhere; keep serving. */
  drain(): void;
  /** Accept nothing new, finish what is in flight. */
  close(): Promise<void>;
  /** Cut what is left. */
  destroy(): void;
}

/**
 * The way down, in order: callers are told, serving goes on for `drainMs`, then nothing new is accepted and what is in flight may
 * finish within `limitMs`, then it is cut. Servers first, then clients, because what is served may still call.
 */
export async function shutDown(closings: readonly Closing[], drainMs: number, limitMs: number, clock: Clock): Promise<void> {
  for (const closing of closings) closing.drain();
  if (drainMs > 0) await wait(clock, drainMs);
  const endsAt = clock.now() + limitMs;
  for (const closing of closings) {
    await settledWithin(closing.close(), Math.max(0, endsAt - clock.now()), clock);
    closing.destroy();
  }
}

function wait(clock: Clock, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    clock.setTimer(delayMs, resolve);
  });
}

function settledWithin(closed: Promise<void>, limitMs: number, clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(limitMs, resolve);
    const done = () => {
      clock.clearTimer(timer);
      resolve();
    };
    // What could not be closed in order is destroyed next.
    closed.then(done, done);
  });
}
