import { rotated } from "../rotated.ts";
import type { Experiment, Plan } from "./experiment.ts";
import type { Readings } from "./probe.ts";
import { Subject } from "./subject.ts";

export interface Measured {
  readonly experiment: Experiment;
  /** Of every round of every process. */
  readonly rounds: readonly Readings[];
}

/** Enough to show that it works. */
const QUICK_ROUNDS = 3;
const QUICK_WARM_UP_MS = 50;

export function quickPlan({ roundMs, rounds, warmUpMs }: Plan): Plan {
  return { processes: 1, rounds: Math.min(rounds, QUICK_ROUNDS), roundMs, warmUpMs: Math.min(warmUpMs, QUICK_WARM_UP_MS) };
}

/** Groups in the order of their first experiment. */
export function groupsOf(experiments: readonly Experiment[]): readonly (readonly Experiment[])[] {
  return [...Map.groupBy(experiments, ({ suite, group }) => `${suite}: ${group}`).values()];
}

/** Measures the experiments of a group in interleaved rounds, each in processes of its own. They share one plan. */
export async function measureGroup(group: readonly Experiment[], addresses: readonly string[], plan: Plan): Promise<readonly Measured[]> {
  const rounds = new Map<Experiment, Readings[]>(group.map((experiment) => [experiment, []]));
  for (let process = 0; process < plan.processes; process++) {
    const subjects: Subject[] = [];
    try {
      for (const experiment of group) subjects.push(await Subject.open(experiment, addresses));
      if (plan.warmUpMs > 0) for (const subject of subjects) await subject.round(plan.warmUpMs);
      for (let round = 0; round < plan.rounds; round++) {
        for (const subject of rotated(subjects, round)) rounds.get(subject.experiment)?.push(await subject.round(plan.roundMs));
      }
    } finally {
      await Promise.all(subjects.map((subject) => subject.close()));
    }
  }
  return group.map((experiment) => ({ experiment, rounds: rounds.get(experiment) ?? [] }));
}
