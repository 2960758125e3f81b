import { bootstrap, judge, type Verdict } from "../statistics.ts";
import type { Figure, Point } from "./experiment.ts";
import type { Measured } from "./measure.ts";

/** One figure of a run; the shape of `--json`. */
export interface ScaleRow {
  readonly suite: string;
  readonly variant: string;
  /** Median over the rounds. */
  readonly value: number;
  readonly unit: string;
  /** The 95 % bootstrap interval of the median. */
  readonly low: number;
  readonly high: number;
  /** `compared`: it has no limit. */
  readonly verdict: Verdict | "compared";
  readonly goal: number | null;
  readonly limit: number | null;
  readonly rounds: number;
  /** Where it stands in a plot; null for rows of tables. */
  readonly point: Point | null;
}

export function rowsOf(measured: Measured): readonly ScaleRow[] {
  return measured.experiment.figures.map((figure) => rowOf(measured, figure));
}

function rowOf({ experiment, rounds }: Measured, { name, reading, unit, goal, limit }: Figure): ScaleRow {
  const values = rounds.map((readings) => {
    const value = readings[reading];
    if (value === undefined) throw new Error(`${experiment.probe} has no reading ${reading}`);
    return value;
  });
  const interval = bootstrap(values);
  return {
    suite: experiment.suite,
    variant: name,
    value: rounded(interval.median),
    unit,
    low: rounded(interval.low),
    high: rounded(interval.high),
    verdict: limit === null ? "compared" : judge(interval, limit),
    goal,
    limit,
    rounds: rounds.length,
    point: experiment.point,
  };
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
