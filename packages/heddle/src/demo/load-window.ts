/** One request of the load generator, when it is over. */
export interface Sample {
  readonly startedAt: number;
  readonly user: string | null;
  /** Which process and version of `reviews` took part; absent in a failure. */
  readonly version: string | null;
  readonly pid: number | null;
  /** How many suggestions the page had; absent in a failure. */
  readonly suggestions: number | null;
  /** Why it failed; null: it did not. */
  readonly failure: string | null;
}

/** What the load generator saw during a stretch of time. */
export class LoadWindow {
  /** Requests that ended in it, and how many of them failed. */
  requests = 0;
  failures = 0;
  /** Why the first of them failed. */
  firstFailure: string | null = null;
  readonly openedAt: number;
  readonly #begun: Sample[] = [];
  readonly #close: () => void;

  constructor(openedAt: number, close: () => void) {
    this.openedAt = openedAt;
    this.#close = close;
  }

  add(sample: Sample): void {
    this.requests++;
    if (sample.failure !== null) {
      this.failures++;
      this.firstFailure ??= sample.failure;
    }
    if (sample.startedAt >= this.openedAt) this.#begun.push(sample);
  }

  /** Successful requests that began and ended in it, of users with the header or without. */
  answered(user: string | null): readonly Sample[] {
    return this.#begun.filter((sample) => sample.user === user && sample.failure === null);
  }

  /** Requests that began and ended in it and were answered by this process of `reviews`. */
  answeredBy(pid: number): number {
    return this.#begun.filter((sample) => sample.pid === pid).length;
  }

  close(): void {
    this.#close();
  }
}

export function toV2(samples: readonly Sample[]): number {
  return samples.filter(({ version }) => version === "v2").length;
}
