import { setImmediate as nextTurn } from "node:timers/promises";
import { type Clock, type Duration, durationMs, type Timer } from "@heddle/core";

/** Time that passes only when told to: a {@link Clock} for tests. */
export interface VirtualClock extends Clock {
  /**
   * Lets time pass. Timers run in the order of their time, those of one moment in the order they were made. Before, between and after
   * them, promises and real zero-time hops (`process.nextTick`, `setImmediate`) settle. Returns when nothing is left to run up to then;
   * rejects with what a timer's callback throws. Calls queue behind each other.
   */
  advance(duration: Duration): Promise<void>;
  /** Lets promises and zero-time hops settle, without letting time pass. */
  settle(): Promise<void>;
  /** Timers that were set and neither ran nor were cleared. 0 after everything was closed, or something leaks. */
  readonly pendingTimers: number;
}

interface VirtualTimer {
  readonly atMs: number;
  callback: (() => void) | null;
}

/** What `wallTime()` says at the start: 2026-01-01T00:00:00Z. */
export const VIRTUAL_EPOCH_MS: number = Date.UTC(2026, 0, 1);

/** A chain of hops counts as over after so many turns of the event loop in which nothing was scheduled; Express answers within 5. */
const QUIET_TURNS = 12;
/** Something that schedules itself for ever must not hang the test. */
const MOST_TURNS = 100_000;
const MOST_TIMERS_AT_ONE_MOMENT = 100_000;

/** Starts at 0 ms, and at {@link VIRTUAL_EPOCH_MS} for people. */
export function virtualClock(): VirtualClock {
  return new VirtualTime();
}

class VirtualTime implements VirtualClock {
  #now = 0;
  /** By time, then by creation. */
  readonly #timers: VirtualTimer[] = [];
  #scheduled = 0;
  #queue: Promise<unknown> = Promise.resolve();

  now(): number {
    return this.#now;
  }

  wallTime(): number {
    return VIRTUAL_EPOCH_MS + this.#now;
  }

  get pendingTimers(): number {
    return this.#timers.length;
  }

  setTimer(delayMs: number, callback: () => void): Timer {
    const timer: VirtualTimer = { atMs: this.#now + (delayMs > 0 ? delayMs : 0), callback };
    this.#timers.splice(this.#indexAfter(timer.atMs), 0, timer);
    this.#scheduled++;
    return timer;
  }

  clearTimer(pending: Timer): void {
    const timer = pending as VirtualTimer;
    if (timer.callback === null) return;
    timer.callback = null;
    this.#timers.splice(this.#timers.indexOf(timer), 1);
  }

  advance(duration: Duration): Promise<void> {
    const ms = durationMs(duration, "advance");
    const run = this.#queue.then(() => this.#runUntil(this.#now + ms));
    this.#queue = run.catch(() => undefined);
    return run;
  }

  async settle(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < MOST_TURNS && quiet < QUIET_TURNS; ) {
      const before = this.#scheduled;
      await nextTurn();
      const pending = process.getActiveResourcesInfo().filter(isHop);
      quiet = this.#scheduled === before && pending.length === 0 ? quiet + 1 : 0;
      // A file read ends by itself, however many turns a busy machine takes for it.
      if (pending.every((resource) => resource === "Immediate")) turn++;
    }
  }

  async #runUntil(untilMs: number): Promise<void> {
    await this.settle();
    let atThisMoment = 0;
    for (let timer = this.#timers[0]; timer && timer.atMs <= untilMs; timer = this.#timers[0]) {
      atThisMoment = timer.atMs > this.#now ? 0 : atThisMoment + 1;
      if (atThisMoment > MOST_TIMERS_AT_ONE_MOMENT) throw new Error(`timers without delay set each other for ever at ${this.#now} ms`);
      this.#timers.shift();
      this.#now = Math.max(this.#now, timer.atMs);
      const { callback } = timer;
      timer.callback = null;
      callback?.();
      await this.settle();
    }
    this.#now = untilMs;
  }

  #indexAfter(atMs: number): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#timers[middle] as VirtualTimer).atMs <= atMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Immediates and file reads, down to the closing of the file: what an application without a socket waits for in no virtual time. */
function isHop(resource: string): boolean {
  return resource === "Immediate" || resource === "CloseReq" || resource.startsWith("FSReq");
}
