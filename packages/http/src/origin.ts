import { parseTarget } from "./target.ts";

export interface Origin {
  readonly scheme: "http" | "https";
  readonly authority: string;
}

/** Processes call few origins, but the number must not grow for ever. */
const MOST_KEPT = 1_000;

/** Remembers what the origins that dispatchers are given say, because the same few come again and again. */
export class Origins {
  readonly #known = new Map<string, Origin>();

  /** Throws TypeError for what is not an http or https origin. */
  parse(origin: string | URL | undefined): Origin {
    if (typeof origin !== "string") {
      if (origin === undefined) throw new TypeError("dispatch: opts.origin is missing");
      return parseTarget(origin);
    }
    const known = this.#known.get(origin);
    if (known) return known;
    const parsed = parseTarget(new URL(origin));
    if (this.#known.size >= MOST_KEPT) this.#known.clear();
    this.#known.set(origin, parsed);
    return parsed;
  }
}
