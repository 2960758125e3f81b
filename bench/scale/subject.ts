import { fileURLToPath } from "node:url";
import { Child } from "../child.ts";
import type { Experiment } from "./experiment.ts";
import type { ProbeAnswer, ProbeOrder, ProbeSetup, Readings } from "./probe.ts";

/** Largest meshes take seconds to set up on a busy machine. */
const OPEN_MS = 60_000;
/** On top of a round's own time. */
const PATIENCE_MS = 60_000;

/** An experiment's probe in its process. */
export class Subject {
  readonly experiment: Experiment;
  readonly #child: Child<ProbeOrder, ProbeAnswer>;

  private constructor(experiment: Experiment, child: Child<ProbeOrder, ProbeAnswer>) {
    this.experiment = experiment;
    this.#child = child;
  }

  static async open(experiment: Experiment, addresses: readonly string[]): Promise<Subject> {
    const module = fileURLToPath(new URL(`./probes/${experiment.probe}.ts`, import.meta.url));
    const setup: ProbeSetup<object> = { parameters: experiment.parameters, addresses };
    const name = `${experiment.probe} ${JSON.stringify(experiment.parameters)}`;
    const args = [module, JSON.stringify(setup)];
    const { child } = await Child.start<ProbeOrder, ProbeAnswer>(name, "./scale/worker.ts", args, OPEN_MS);
    return new Subject(experiment, child);
  }

  async round(durationMs: number): Promise<Readings> {
    const answer = await this.#child.ask({ kind: "round", durationMs }, durationMs + PATIENCE_MS);
    if (answer.kind !== "readings") throw new Error(`${this.#child.name} answered a round with ${answer.kind}`);
    return answer.readings;
  }

  close(): Promise<void> {
    return this.#child.stop({ kind: "close" });
  }
}
