import type { Clock, Timer } from "../clock.ts";
import type { Random } from "../random.ts";
import { type Life, type RotationTiming, renewalMs, retryMs } from "./rotation.ts";

/**
 * The longest it sleeps before it looks at the wall clock again: certificates live by that, timers by one that stands still while the
 * machine is suspended; and timers of Node end after 24.8 days.
 */
const LONGEST_SLEEP_MS = 60_000;

export interface RotationSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly timing: RotationTiming;
  /** Gets another certificate. Answers by `renewed` or `failed`, at once or later; it is not called again before. */
  readonly renew: () => void;
}

/** Calls `renew` when it is time. Its timers do not keep the process alive. */
export class RotationSchedule {
  readonly #surroundings: RotationSurroundings;
  #life: Life | null = null;
  #failures = 0;
  #dueMs: number | null = null;
  #timer: Timer | null = null;

  constructor(surroundings: RotationSurroundings) {
    this.#surroundings = surroundings;
  }

  /** There is a certificate, whose renewal is scheduled in place of whatever was. */
  renewed(life: Life): void {
    const { clock, timing, random } = this.#surroundings;
    this.#life = life;
    this.#failures = 0;
    // A life that is half over when it begins must not make one renewal follow the other without a pause.
    this.#wait(Math.max(renewalMs(life, timing, random), clock.wallTime() + timing.backoff.minMs));
  }

  /** There was none: tried again after a pause that grows. */
  failed(): void {
    const { clock, timing, random } = this.#surroundings;
    this.#failures += 1;
    this.#wait(retryMs(this.#failures, this.#life, clock.wallTime(), timing, random));
  }

  /** When the next renewal is tried, in wall-clock time; null: not scheduled. */
  get dueMs(): number | null {
    return this.#dueMs;
  }

  close(): void {
    if (this.#timer) this.#surroundings.clock.clearTimer(this.#timer);
    this.#timer = null;
    this.#dueMs = null;
  }

  #wait(dueMs: number): void {
    this.close();
    this.#dueMs = dueMs;
    this.#sleep(dueMs);
  }

  #sleep(dueMs: number): void {
    const { clock, renew } = this.#surroundings;
    const wake = (): void => {
      this.#timer = null;
      if (clock.wallTime() < dueMs) {
        this.#sleep(dueMs);
        return;
      }
      this.#dueMs = null;
      renew();
    };
    this.#timer = clock.setTimer(Math.min(LONGEST_SLEEP_MS, Math.max(0, dueMs - clock.wallTime())), wake, "idle");
  }
}
