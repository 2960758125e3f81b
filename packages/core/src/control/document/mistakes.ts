import type { Problem } from "../../model/problem.ts";
import { nearest } from "../../nearest.ts";
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
  /** What holds something that is wrong. */
  readonly #around = new Set<string>();
  readonly #services = new Set<string>();
  #isElsewhere = false;
  #errors = 0;
  #suggestions = 0;

  constructor(places: Places) {
    this.#places = places;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  get errors(): number {
    return this.#errors;
  }

  /** Whether anything found may have to do with this service. */
  concerns(service: string): boolean {
    return this.#isElsewhere || this.#services.has(service);
  }

  /** Whether something that stands directly in this list or mapping was refused, and is missing from what was kept of it. */
  hasMistakeIn(path: Path): boolean {
    return this.#around.has(formatPath(path));
  }

  /** The known word that was probably meant, if there is one and suggestions have not become too many. */
  suggest(word: string, known: () => Iterable<string>): string | undefined {
    if (this.#suggestions >= MOST_SUGGESTIONS) return undefined;
    this.#suggestions++;
    return nearest(word, known()) ?? undefined;
  }

  /** A mistake at this path. */
  add(path: Path, message: string, of: "key" | "value" = "value"): void {
    this.#errors++;
    this.#around.add(formatPath(path.slice(0, -1)));
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
    const [section, name] = path;
    if (section === "services" && typeof name === "string") this.#services.add(name);
    else this.#isElsewhere = true;
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
  // Whoever writes a user and a password into a URL does not want to read them in a log.
  const written = typeof value === "string" ? JSON.stringify(value.replace(/\/\/[^/]*@/g, "//...@")) : String(value);
  return written.length > 80 ? `${written.slice(0, 77)}...` : written;
}
