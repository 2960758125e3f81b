import { systemClock } from "@heddle/core";
import { GRACE_MS, LATE_MS, ONE_TURN_MS } from "./dial.ts";

/**
 * Gives up a connection after `timeoutMs`, however many steps it has made by then; returns what stops that. Late where the event loop was
 * blocked, so that what came about meanwhile is noticed first.
 */
export function startConnectTimer(timeoutMs: number, giveUp: () => void): () => void {
  const lateAt = systemClock.now() + timeoutMs + LATE_MS;
  let timer = systemClock.setTimer(timeoutMs, () => {
    timer = systemClock.setTimer(systemClock.now() > lateAt ? GRACE_MS : ONE_TURN_MS, giveUp);
  });
  return () => systemClock.clearTimer(timer);
}
