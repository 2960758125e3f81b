import type { Clock } from "../clock.ts";
import type { Problem } from "../model/problem.ts";
import type { MeshSnapshot } from "../model/snapshot.ts";

/** What a source tells the mesh. */
export interface SourceSink {
  /** The whole current state. The mesh keeps its last good one if this turns out to be invalid. */
  update(snapshot: MeshSnapshot): void;
  /** Problems found instead of, or beside, an update. */
  problem(problem: Problem): void;
}

/**
 * Where configuration comes from. Translates whatever it reads into a {@link MeshSnapshot}; never throws at the mesh:
 * what it cannot read it reports, and the last good state stays in force.
 */
export interface ControlSource {
  /** For people: a path, an address. */
  readonly name: string;
  /** Starts watching, tells `sink` the state as soon as it is known and at every change, until the returned function is called (idempotent). */
  watch(sink: SourceSink, clock: Clock): () => void;
}
