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

/** A block of the event loop is noticed by so much of the drain. */
const STEP_MS = 50;

/**
 * The way down, in order: callers are told, serving goes on for `drainMs` (longer, at most twice as long, if the event loop was blocked
 * meanwhile: who asked and got no answer yet was not told), then nothing new is accepted and what is in flight may
 * finish within `limitMs`, then it is cut. Servers first, then clients, because what is served may still call.
 */
export async function shutDown(closings: readonly Closing[], drainMs: number, limitMs: number, clock: Clock): Promise<void> {
  for (const closing of closings) closing.drain();
  if (drainMs > 0) await serveOn(drainMs, clock);
  const endsAt = clock.now() + limitMs;
  for (const closing of closings) {
    await settledWithin(closing.close(), Math.max(0, endsAt - clock.now()), clock);
    closing.destroy();
  }
}

async function serveOn(drainMs: number, clock: Clock): Promise<void> {
  const latestAt = clock.now() + 2 * drainMs;
  for (let leftMs = drainMs; leftMs > 0 && clock.now() < latestAt; leftMs -= STEP_MS) await wait(clock, Math.min(leftMs, STEP_MS));
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
