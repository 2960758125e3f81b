import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock, Timer } from "./clock.ts";

/** What comes later than this was held up by this process, and says nothing about anybody else. */
export const LATE_MS = 100;
/** So often it is noted whether the event loop still comes in time. */
const LOOK_MS = 50;
/** For so long after somebody asked last. */
const WATCH_MS = 30_000;

/**
 * How long the event loop of this process was blocked: time for which no endpoint can be blamed. Watched by one timer while anybody
 * asks, and for 30 s after that; what begins later than that and ends with a block is not known to have been held up.
 */
export class EventLoop {
  readonly #clock: Clock;
  /** A timer keeps the stores of the request it is made in until it fires. */
  readonly #outsideRequests = AsyncLocalStorage.snapshot();
  #blockedMs = 0;
  #timer: Timer | null = null;
  #dueAt = 0;
  #watchUntil = 0;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds so far, in blocks of more than 100 ms. The difference between the end and the beginning of something is its own part. */
  blockedMs(now: number): number {
    this.#watchUntil = now + WATCH_MS;
    if (this.#timer === null) this.#watch(now);
    return this.#blockedMs + this.#heldUpMs(now);
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  /** What the block that goes on now has taken. */
  #heldUpMs(now: number): number {
    const lateMs = this.#timer === null ? 0 : now - this.#dueAt;
    return lateMs > LATE_MS ? lateMs : 0;
  }

  #watch(now: number): void {
    if (this.#isClosed) return;
    this.#dueAt = now + LOOK_MS;
    this.#timer = this.#outsideRequests(() => this.#clock.setTimer(LOOK_MS, () => this.#look(), "idle"));
  }

  #look(): void {
    const now = this.#clock.now();
    this.#blockedMs += this.#heldUpMs(now);
    this.#timer = null;
    if (now < this.#watchUntil) this.#watch(now);
  }
}
