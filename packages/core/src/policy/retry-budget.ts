import type { RetryBudgetConfig } from "../model/backend.ts";

const WINDOW_MS = 10_000;
const SLOTS = 10;
const SLOT_MS = WINDOW_MS / SLOTS;

/**
 * How many retries a backend may get: a share of the requests of the last 10 s, plus a small reserve, so that retries cannot
 * multiply an outage. One for each backend, shared by everything that repeats requests to it.
 * Deposits and withdrawals both expire with their second (finagle's RetryBudget, tower's TpsBudget).
 */
export class RetryBudget {
  #perRequest = 0;
  #reserve = 0;
  readonly #slots = new Float64Array(SLOTS);
  #slot = 0;
  #slotStart: number;

  constructor(config: RetryBudgetConfig, now: number) {
    this.#slotStart = now;
    this.configure(config);
  }

  configure(config: RetryBudgetConfig): void {
    this.#perRequest = config.percent / 100;
    this.#reserve = config.minPerSecond * (WINDOW_MS / 1_000);
  }

  /** One request was made. */
  deposit(now: number): void {
    this.#expire(now);
    this.#slots[this.#slot] = (this.#slots[this.#slot] as number) + this.#perRequest;
  }

  /** True, and spent, if one more retry may be made. */
  withdraw(now: number): boolean {
    // A sum of tenths is a hair below its integer.
    if (this.available(now) < 1 - 1e-9) return false;
    this.#slots[this.#slot] = (this.#slots[this.#slot] as number) - 1;
    return true;
  }

  /** Retries that could be made now. */
  available(now: number): number {
    this.#expire(now);
    let sum = this.#reserve;
    for (const slot of this.#slots) sum += slot;
    return Math.max(0, sum);
  }

  #expire(now: number): void {
    const passed = Math.floor((now - this.#slotStart) / SLOT_MS);
    if (passed <= 0) return;
    for (let step = 0; step < Math.min(passed, SLOTS); step++) {
      this.#slot = (this.#slot + 1) % SLOTS;
      this.#slots[this.#slot] = 0;
    }
    this.#slotStart += passed * SLOT_MS;
  }
}
