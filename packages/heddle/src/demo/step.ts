import type { MeshDocument } from "./document.ts";
import type { Fleet } from "./fleet.ts";
import type { Load } from "./load.ts";
import type { Waiting } from "./wait.ts";

/** What a step works with. */
export interface Stage extends Waiting {
  readonly load: Load;
  readonly fleet: Fleet;
  readonly document: MeshDocument;
  /** What the progress line says from now on. */
  show(describe: () => string): void;
}

/** What a step found: whether its own check held, and what was measured, for people. */
export interface Finding {
  readonly held: boolean;
  readonly seen: string;
}

/** One thing the demo shows. It may reject: then it failed, for that reason. */
export interface Step {
  readonly title: string;
  run(stage: Stage): Promise<Finding>;
}
