import type { ControlSource, MeshSnapshot, Problem, SourceSink } from "@heddle/core";

/** A control source with a handle: tells what it is told to. */
export interface FakeSource extends ControlSource {
  /** The state from now on. Ends what was wrong before. */
  update(snapshot: MeshSnapshot): void;
  /** Something is wrong from now on; the last state stays. */
  fail(message: string): void;
  /** Who watches now. */
  readonly watchers: number;
}

/** Without a first snapshot it has not spoken until `update` is called. Tells everything synchronously. */
export function fakeSource(first?: MeshSnapshot, name = "fake"): FakeSource {
  const sinks = new Set<SourceSink>();
  let snapshot = first;
  let problem: Problem | undefined;
  return {
    name,
    get watchers() {
      return sinks.size;
    },
    watch(sink) {
      // A set would count one sink that watches twice as one.
      const watcher: SourceSink = { update: (state) => sink.update(state), problem: (trouble) => sink.problem(trouble) };
      sinks.add(watcher);
      if (snapshot) watcher.update(snapshot);
      if (problem) watcher.problem(problem);
      return () => {
        sinks.delete(watcher);
      };
    },
    update(state) {
      snapshot = state;
      problem = undefined;
      for (const sink of [...sinks]) sink.update(state);
    },
    fail(message) {
      problem = { where: name, message, severity: "error" };
      for (const sink of [...sinks]) sink.problem(problem);
    },
  };
}
