import type { Clock } from "../clock.ts";
import type { Problem } from "../model/problem.ts";
import type { Said } from "./compose.ts";
import type { ConfiguredSource } from "./document-source.ts";
import type { Problems } from "./problems.ts";
import type { ControlSource } from "./source.ts";
import { type DocumentSink, isDocumentSource } from "./written-document.ts";

export interface WatchedSourceDependencies {
  readonly clock: Clock;
  readonly problems: Problems;
  /** There is nothing to merge its document with. */
  readonly isAlone: boolean;
  /** It said something; what it said before that, if anything, is handed over. */
  said(source: WatchedSource, before: Said | null): void;
}

/** Problems told this close to each other are those of one reading. */
const TOGETHER_MS = 10;
const MOST_TOLD = 10;

/** Problems in one line, each with its place; the source's own name is not said twice. */
function told(problems: readonly Problem[], source: string): string {
  const lines = problems.slice(0, MOST_TOLD).map(({ where, message }) => (where === source ? message : `${where}: ${message}`));
  const rest = problems.length - lines.length;
  return lines.join("; ") + (rest > 0 ? `; and ${rest} more` : "");
}

/** The mesh's side of a control source: what it said, what became of it, and whether it has spoken yet. */
export class WatchedSource {
  readonly name: string;
  readonly isOptional: boolean;
  readonly #isFixed: boolean;
  state: "waiting" | "ok" | "failing" = "waiting";
  /** How often what it said was taken into force. */
  updates = 0;
  /** What it said last. */
  said: Said | null = null;
  /** What is in force of it: the same, unless that contradicts the others. */
  accepted: Said | null = null;
  readonly #dependencies: WatchedSourceDependencies;
  #stop: () => void = () => {};
  #current: Problem[] = [];
  /** Those it told together, most recently. */
  #last: Problem[] = [];
  #lastAt: number = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor({ source, isOptional, isFixed }: ConfiguredSource, dependencies: WatchedSourceDependencies) {
    this.name = source.name;
    this.isOptional = isOptional;
    this.#isFixed = isFixed;
    this.#dependencies = dependencies;
    this.#stop = this.#watch(source);
  }

  /** Why nothing of it is in force, for people; null if there is nothing wrong with it. */
  get waitingBecause(): string | null {
    if (this.#last.length > 0) return told(this.#last, this.name);
    return this.said === null ? "it has not delivered a configuration yet" : null;
  }

  /** It has nothing good to say, and never will. */
  get isHopeless(): boolean {
    return this.#isFixed && this.said === null && this.#last.length > 0;
  }

  get hasSpoken(): boolean {
    return this.updates > 0;
  }

  /** What it said last is in force. */
  accept(): void {
    this.accepted = this.said;
    this.updates++;
    this.state = "ok";
    this.#dependencies.problems.forget(this.#current);
    this.#current = [];
    this.#last = [];
  }

  /** Something of what it said is in force; the rest is still wrong. */
  acceptPartly(accepted: Said): void {
    this.accepted = accepted;
    this.updates++;
  }

  /** What it said cannot be taken. */
  refuse(problems: readonly Problem[]): void {
    const consequence = this.hasSpoken ? "the last good configuration stays in force" : "the mesh waits for a valid one";
    for (const problem of problems) this.#problem({ ...problem, message: `${problem.message}; ${consequence}` });
  }

  close(): void {
    this.#isClosed = true;
    this.#stop();
  }

  #watch(source: ControlSource): () => void {
    const said = (what: Said): void => {
      if (this.#isClosed) return;
      const before = this.said;
      this.said = what;
      this.#dependencies.said(this, before);
    };
    const sink: DocumentSink = {
      update: (snapshot) => said({ kind: "snapshot", snapshot }),
      documents: (documents) => said({ kind: "documents", documents }),
      problem: (problem) => {
        if (!this.#isClosed) this.#problem(problem);
      },
    };
    const { clock, isAlone } = this.#dependencies;
    try {
      return isDocumentSource(source)
        ? source.watchDocuments(sink, clock, { isAlone, isOptional: this.isOptional })
        : source.watch(sink, clock);
    } catch (error) {
      this.#problem({ where: source.name, message: `the source failed to start: ${String(error)}`, severity: "error" });
      return () => {};
    }
  }

  #problem(problem: Problem): void {
    // Nothing depends on an optional source that has given nothing yet.
    const isHarmless = this.isOptional && this.said === null;
    const told: Problem = isHarmless ? { ...problem, severity: "warning" } : problem;
    this.#current.push(told);
    const now = this.#dependencies.clock.now();
    this.#last = now - this.#lastAt < TOGETHER_MS ? [...this.#last, told] : [told];
    this.#lastAt = now;
    if (told.severity === "error") this.state = this.hasSpoken || this.state === "failing" ? "failing" : "waiting";
    this.#dependencies.problems.report(told);
  }
}
