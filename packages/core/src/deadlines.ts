import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock, Timer } from "./clock.ts";
import { EventLoop } from "./event-loop.ts";

/** A pending entry of {@link Deadlines}. */
export interface DeadlineEntry {
  readonly atMs: number;
}

interface Entry extends DeadlineEntry {
  readonly queue: Queue;
  /** `lateMs`: how long after its time it ran; large after the event loop was blocked. */
  callback: ((lateMs: number) => void) | null;
  previous: Entry | null;
  next: Entry | null;
}

interface Queue {
  readonly durationMs: number;
  first: Entry | null;
  last: Entry | null;
  timer: Timer | null;
}

/**
 * Deadlines that almost never fire. One queue for each duration: entries of one duration expire in the order they were added, so
 * adding and removing are O(1) and a whole queue needs one timer, which is left to run when its entry is removed.
 */
export class Deadlines {
  /** Whether what is late was held up here. */
  readonly eventLoop: EventLoop;
  readonly #clock: Clock;
  readonly #queues = new Map<number, Queue>();
  /** A timer keeps the stores of the request it is made in, of the application's own storages too, until it fires. */
  readonly #outsideRequests = AsyncLocalStorage.snapshot();

  constructor(clock: Clock) {
    this.#clock = clock;
    this.eventLoop = new EventLoop(clock);
  }

  /** Calls back once after `durationMs` (fractions are rounded up), unless removed before. Does not keep the process alive. `now` saves a look at the clock. */
  add(durationMs: number, callback: (lateMs: number) => void, now: number = this.#clock.now()): DeadlineEntry {
    const duration = Math.max(0, Math.ceil(durationMs));
    let queue = this.#queues.get(duration);
    if (!queue) {
      queue = { durationMs: duration, first: null, last: null, timer: null };
      this.#queues.set(duration, queue);
    }
    const entry: Entry = { atMs: now + duration, queue, callback, previous: queue.last, next: null };
    if (queue.last) queue.last.next = entry;
    else queue.first = entry;
    queue.last = entry;
    if (!queue.timer) this.#arm(queue, duration);
    return entry;
  }

  remove(pending: DeadlineEntry): void {
    const entry = pending as Entry;
    if (entry.callback === null) return;
    entry.callback = null;
    const { queue, previous, next } = entry;
    if (previous) previous.next = next;
    else queue.first = next;
    if (next) next.previous = previous;
    else queue.last = previous;
    // A removed entry that the garbage collector has put among the old would keep all that came after it alive.
    entry.previous = null;
    entry.next = null;
  }

  /** Forgets every entry and frees every timer. */
  close(): void {
    this.eventLoop.close();
    for (const queue of this.#queues.values()) {
      if (queue.timer) this.#clock.clearTimer(queue.timer);
      queue.first = null;
      queue.last = null;
    }
    this.#queues.clear();
  }

  #arm(queue: Queue, delayMs: number): void {
    queue.timer = this.#outsideRequests(() => this.#clock.setTimer(delayMs, () => this.#expire(queue), "idle"));
  }

  #expire(queue: Queue): void {
    const now = this.#clock.now();
    try {
      // Its timer counts as set until the end: one that a callback's own entry set would be forgotten here, and outlive `close`.
      // Node's timers may run up to 1 ms early.
      for (let entry = queue.first; entry && entry.atMs <= now + 1; entry = queue.first) {
        const callback = entry.callback;
        this.remove(entry);
        callback?.(Math.max(0, now - entry.atMs));
      }
    } finally {
      queue.timer = null;
      if (queue.first) this.#arm(queue, Math.max(1, queue.first.atMs - now));
      else this.#queues.delete(queue.durationMs);
    }
  }
}
