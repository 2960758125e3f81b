import { addressesOf, type Budget, type Settings } from "./settings.ts";

const DEFAULT_BUDGET: Budget = { percent: 20, minPerSecond: 1 };

/** What the model holds to be in force. `reviews` has a life for each time that it is there: when it returns, its state is new. */
export class Configuration {
  current: Settings;
  life = 0;
  readonly #lastOfLife = new Map<number, Settings>();
  readonly #since: { readonly at: number; readonly settings: Settings }[];

  constructor(settings: Settings) {
    this.current = settings;
    this.#since = [{ at: 0, settings }];
  }

  apply(next: Settings, now: number): void {
    const { current } = this;
    if (current.isPresent && !next.isPresent) this.#lastOfLife.set(this.life, current);
    if (!current.isPresent && next.isPresent) this.life++;
    this.current = next;
    this.#since.push({ at: now, settings: next });
  }

  get budget(): Budget {
    return budgetOf(this.current);
  }

  /** What a try may go to now: a request that outlives its service keeps the endpoints that it had last. */
  endpointsOf(backend: string, life: number): readonly string[] {
    const settings = life === this.life && this.current.isPresent ? this.current : this.#lastOfLife.get(life);
    return settings ? addressesOf(settings, backend) : [];
  }

  /** Every configuration that was in force at a moment; several where it changed in it. */
  at(moment: number): readonly Settings[] {
    return this.#since
      .filter(({ at }, index) => at <= moment && (this.#since[index + 1]?.at ?? Number.POSITIVE_INFINITY) >= moment)
      .map(({ settings }) => settings);
  }
}

export function budgetOf({ retry }: Settings): Budget {
  return retry === null || retry === "off" ? DEFAULT_BUDGET : retry.budget;
}
