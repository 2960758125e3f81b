import type { Clock } from "../clock.ts";
import type { Problem } from "../model/problem.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";
import type { Problems } from "./problems.ts";
import type { SnapshotStore } from "./snapshot-store.ts";
import type { ControlSource } from "./source.ts";

export interface WatchedSourceDependencies {
  readonly clock: Clock;
  readonly store: SnapshotStore;
  readonly problems: Problems;
  /** A new configuration is in force. */
  applied(): void;
}

/** The mesh's side of a control source: what it said, what became of it, and whether it has spoken yet. */
export class WatchedSource {
  readonly name: string;
  state: "waiting" | "ok" | "failing" = "waiting";
  updates = 0;
  readonly #dependencies: WatchedSourceDependencies;
  readonly #stop: () => void;
  #current: Problem[] = [];
  #isClosed = false;
  #isStarted = false;

  constructor(source: ControlSource, dependencies: WatchedSourceDependencies) {
    this.name = source.name;
    this.#dependencies = dependencies;
    this.#stop = this.#watch(source);
    this.#isStarted = true;
  }

  /** Why it has not spoken, for people. */
  get waitingBecause(): string {
    const problem = this.#current.at(-1);
    return problem ? `${problem.where}: ${problem.message}` : "it has not delivered a configuration yet";
  }

  get hasSpoken(): boolean {
    return this.updates > 0;
  }

  close(): void {
    this.#isClosed = true;
    if (this.#isStarted) this.#stop();
  }

  #watch(source: ControlSource): () => void {
    const sink = {
      update: (snapshot: MeshSnapshot) => {
        if (!this.#isClosed) this.#update(snapshot);
      },
      problem: (problem: Problem) => {
        if (!this.#isClosed) this.#problem(problem);
      },
    };
    try {
      return source.watch(sink, this.#dependencies.clock);
    } catch (error) {
      this.#problem({ where: source.name, message: `the source failed to start: ${String(error)}`, severity: "error" });
      return () => {};
    }
  }

  #update(snapshot: MeshSnapshot): void {
    const refused = this.#dependencies.store.accept(snapshot);
    if (refused.length > 0) {
      for (const problem of refused) this.#problem({ ...problem, message: `${problem.message}; ${this.#consequence()}` });
      return;
    }
    this.#dependencies.problems.forget(this.#current);
    this.#current = [];
    this.state = "ok";
    this.updates++;
    this.#dependencies.applied();
  }

  #problem(problem: Problem): void {
    this.#current.push(problem);
    if (problem.severity === "error") this.state = this.hasSpoken || this.state === "failing" ? "failing" : "waiting";
    this.#dependencies.problems.report(problem);
  }

  #consequence(): string {
    return this.hasSpoken ? "the last good configuration stays in force" : "the mesh waits for a valid one";
  }
}
