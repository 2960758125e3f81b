import type { ControlSource, SourceSink } from "../src/control/source.ts";
import type { MeshSnapshot } from "../src/model/snapshot.ts";

export interface HandSource extends ControlSource {
  update(snapshot: MeshSnapshot): void;
  problem(message: string): void;
  readonly isWatched: boolean;
}

/** A control source in the test's hands. Speaks at once if it is given something to say. */
export function handSource(first: MeshSnapshot | null = null, name = "hand"): HandSource {
  let sink: SourceSink | null = null;
  return {
    name,
    watch(watching) {
      sink = watching;
      if (first !== null) watching.update(first);
      return () => {
        sink = null;
      };
    },
    update: (snapshot) => sink?.update(snapshot),
    problem: (message) => sink?.problem({ where: name, message, severity: "error" }),
    get isWatched() {
      return sink !== null;
    },
  };
}
