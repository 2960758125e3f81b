export const SCALE_SUITES = ["pick", "match", "update", "memory", "import", "security", "policies", "growth"] as const;
export type ScaleSuite = (typeof SCALE_SUITES)[number];

/** A row of the table: one reading of an experiment's probe. */
export interface Figure {
  readonly name: string;
  readonly reading: string;
  readonly unit: string;
  /** What is aimed at, and what must be reached. Null where the figure is there to compare. */
  readonly goal: number | null;
  readonly limit: number | null;
}

/** Where a figure stands in a plot of growth. */
export interface Point {
  readonly plot: string;
  readonly series: string;
  readonly x: number;
}

/** How often, and for how long. */
export interface Plan {
  /** Processes, one after the other: what happens once in a process needs several. */
  readonly processes: number;
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
}

/** One probe with its parameters, in processes of its own, and what is read from it. */
export interface Experiment {
  readonly suite: ScaleSuite;
  /** Those of one group are measured in interleaved rounds, so that a slow minute of the machine touches all of them. */
  readonly group: string;
  /** The file in `probes/`, without its ending. */
  readonly probe: string;
  readonly parameters: object;
  readonly figures: readonly Figure[];
  readonly point: Point | null;
  readonly plan: Plan;
  readonly needsServers: boolean;
  /** Left out with `--quick`. */
  readonly isExtra: boolean;
}

export function compared(name: string, reading: string, unit: string): Figure {
  return { name, reading, unit, goal: null, limit: null };
}

export function limited(name: string, reading: string, unit: string, goal: number, limit: number): Figure {
  return { name, reading, unit, goal, limit };
}
