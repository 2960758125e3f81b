import type { Problem } from "../../model/problem.ts";
import { formatPath, type Path, type Places } from "./places.ts";

/** Past so many, more of them help nobody. */
const MOST_PROBLEMS = 1_000;

/** Suggestions compare with every known word: worth it for a few mistakes, not for thousands. */
const MOST_SUGGESTIONS = 20;

/** Collects what is wrong with one document. */
export class Mistakes {
  readonly problems: Problem[] = [];
  readonly #places: Places;
  /** What is inherited is checked wherever it is in force, and reported once. */
  readonly #reported = new Set<string>();
  #errors = 0;
  #suggestions = 0;

  constructor(places: Places) {
    this.#places = places;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  /** The known word that was probably meant, if there is one and suggestions have not become too many. */
  suggest(word: string, known: Iterable<string>): string | undefined {
    if (this.#suggestions >= MOST_SUGGESTIONS) return undefined;
    this.#suggestions++;
    return nearest(word, known);
  }

  /** A mistake at this path. */
  add(path: Path, message: string, of: "key" | "value" = "value"): void {
    this.#errors++;
    this.#push(path, message, of, "error");
  }

  /** Legal, but hardly meant. */
  warn(path: Path, message: string): void {
    this.#push(path, message, "key", "warning");
  }

  place(path: Path, of: "key" | "value" = "key"): string {
    return this.#places.where(path, of);
  }

  #push(path: Path, message: string, of: "key" | "value", severity: Problem["severity"]): void {
    if (this.problems.length >= MOST_PROBLEMS) return;
    const where = this.#places.where(path, of);
    const at = formatPath(path);
    const mark = `${at} ${message}`;
    if (this.#reported.has(mark)) return;
    this.#reported.add(mark);
    this.problems.push({ where, message: where === at ? message : `${at}: ${message}`, severity });
  }
}

/** What was found, short enough for a message. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  const written = typeof value === "string" ? JSON.stringify(value) : String(value);
  return written.length > 80 ? `${written.slice(0, 77)}...` : written;
}

/** The known word closest to this one, if it is close enough to have been meant. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > 64) return undefined;
  const written = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(written.length / 3)) + 1;
  for (const candidate of known) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(written, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein's, with two neighbours in the wrong order counted as one mistake. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min((previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (beforePrevious[j - 2] ?? 0) + 1);
      current.push(least);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length] ?? a.length;
}
