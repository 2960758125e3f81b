import { parseArgs } from "node:util";
import { Cancel, systemClock } from "@heddle/core";
import { keepRunning } from "../demo/keep-running.ts";
import { measure, nothingMeasured } from "../demo/measure.ts";
import { Progress } from "../demo/progress.ts";
import { asTable, type Results } from "../demo/results.ts";
import { startDemo } from "../demo/running-demo.ts";
import { findFrameworks, onNodeHttp } from "../demo/scripts.ts";
import { stepsFor } from "../demo/steps/index.ts";
import type { Waiting } from "../demo/wait.ts";
import { type Command, EXIT } from "./command.ts";
import { cancelWhenAsked, EndRequested } from "./demo-signals.ts";

/** Twice what it takes on two cores that others use as well. */
const LIMIT_MS = 80_000;

export const demo: Command = {
  usage: "demo [--keep] [--json]",
  summary:
    "Starts real services on loopback, kills one and edits their mesh while they run, and measures what users notice. " +
    "Exit 1 unless every check held. --keep leaves them running until Ctrl-C.",
  async run(args, { out, err }) {
    const { values } = parseArgs({ args: [...args], options: { keep: { type: "boolean" }, json: { type: "boolean" } } });
    const waiting: Waiting = { clock: systemClock, cancel: new Cancel() };
    using _asked = cancelWhenAsked(waiting.cancel);
    const progress = new Progress(values.json ? err : out, waiting.clock);
    const print = (results: Results) => out.write(values.json ? `${JSON.stringify(results)}\n` : asTable(results));
    try {
      return (await runDemo(waiting, progress, print, values.keep === true)) ? EXIT.ok : EXIT.failed;
    } finally {
      progress.close();
    }
  },
};

/** Whether all went as it should, the time it was kept running included. */
async function runDemo(waiting: Waiting, progress: Progress, print: (results: Results) => void, keep: boolean): Promise<boolean> {
  const { clock, cancel } = waiting;
  const startedAt = clock.now();
  const limit = clock.setTimer(LIMIT_MS, () => cancel.cancel(new Error(`it was not done after ${LIMIT_MS / 1_000} s`)), "idle");
  const frameworks = findFrameworks((name) => import.meta.resolve(name));
  const steps = stepsFor(frameworks);
  progress.show(() => "starting the services");
  try {
    await using running = await startDemo(frameworks, waiting);
    progress.line(`${running.instances.length} processes on loopback serve, joined by ${running.document.path}`);
    for (const line of onNodeHttp(frameworks)) progress.line(line);
    const results = await measure({ steps, demo: running, waiting, progress, startedAt });
    clock.clearTimer(limit);
    print(results);
    const why = keep && results.endedBecause === null ? await keepRunning(running, waiting, progress) : null;
    if (why !== null) progress.line(`ended: ${why instanceof Error ? why.message : String(why)}`);
    progress.show(() => "ending the services");
    return results.ok && (why === null || why instanceof EndRequested);
  } catch (error) {
    print(nothingMeasured(steps, (clock.now() - startedAt) / 1_000, error));
    return false;
  }
}
