import type { Clock } from "../clock.ts";
import type { Problem } from "../model/problem.ts";

const PERIOD_MS = 60_000;
/** Strangers choose what the reasons say: so many different ones are told in a period. */
const MAX_TOLD = 5;

/** Connections that were refused: all are counted, and each reason is told once a minute, of many different ones the first few. */
export class RefusalLog {
  readonly #clock: Clock;
  readonly #report: (problem: Problem) => void;
  readonly #told = new Set<string>();
  #periodEndsAt = Number.NEGATIVE_INFINITY;
  #untold = 0;
  #count = 0;

  constructor(clock: Clock, report: (problem: Problem) => void) {
    this.#clock = clock;
    this.#report = report;
  }

  get count(): number {
    return this.#count;
  }

  add(reason: string, from: string): void {
    this.#count++;
    const now = this.#clock.now();
    if (now >= this.#periodEndsAt) {
      this.#told.clear();
      this.#periodEndsAt = now + PERIOD_MS;
    }
    if (this.#told.has(reason) || this.#told.size >= MAX_TOLD) {
      this.#untold++;
      return;
    }
    this.#told.add(reason);
    const more = this.#untold === 0 ? "" : `; ${this.#untold} other connections were refused since the last word`;
    this.#untold = 0;
    this.#report({ where: "inbound", message: `this side refused a connection from ${from}: ${reason}${more}`, severity: "warning" });
  }
}
