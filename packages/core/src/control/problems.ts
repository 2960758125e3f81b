import type { Problem } from "../model/problem.ts";

const KEPT = 100;

/** The last problems, each told once: the same one again is kept quiet until it has been forgotten. */
export class Problems {
  readonly #tell: (problem: Problem) => void;
  #kept: Problem[] = [];

  constructor(tell: (problem: Problem) => void) {
    this.#tell = tell;
  }

  get all(): readonly Problem[] {
    return this.#kept;
  }

  report(problem: Problem): void {
    const isKnown = this.#kept.some((known) => known.where === problem.where && known.message === problem.message);
    if (isKnown) return;
    this.#kept = [...this.#kept.slice(-(KEPT - 1)), problem];
    this.#tell(problem);
  }

  /** A source is well again: the same mistake made anew is worth telling. */
  forget(problems: readonly Problem[]): void {
    this.#kept = this.#kept.filter((known) => !problems.includes(known));
  }
}

export function writeProblem({ where, message, severity }: Problem): void {
  process.stderr.write(`heddle: ${severity}: ${where}: ${message}\n`);
}
