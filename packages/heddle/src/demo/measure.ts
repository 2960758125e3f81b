import type { Progress } from "./progress.ts";
import type { Results, Row } from "./results.ts";
import type { RunningDemo } from "./running-demo.ts";
import type { Finding, Step } from "./step.ts";
import type { Waiting } from "./wait.ts";

interface Measuring {
  readonly steps: readonly Step[];
  readonly demo: RunningDemo;
  readonly waiting: Waiting;
  readonly progress: Progress;
  /** When the demo began, on the clock of `waiting`. */
  readonly startedAt: number;
}

/** Runs the steps one after the other under one load. What ends the demo early fails the step it met; the others are told as not run. */
export async function measure(measuring: Measuring): Promise<Results> {
  const { steps, demo, waiting, progress, startedAt } = measuring;
  const whole = demo.load.open();
  const rows: Row[] = [];
  for (const step of steps) {
    if (waiting.cancel.isCancelled) rows.push(notRun(step));
    else {
      progress.line(`${rows.length + 1}/${steps.length} ${step.title}`);
      const row = await runStep(step, measuring);
      progress.line(`    ${row.verdict}: ${row.seen}`);
      rows.push(row);
    }
  }
  whole.close();
  const endedBecause = waiting.cancel.isCancelled ? messageOf(waiting.cancel.reason) : null;
  return {
    ok: endedBecause === null && whole.failures === 0 && rows.every(({ verdict }) => verdict === "held"),
    seconds: (waiting.clock.now() - startedAt) / 1_000,
    requests: whole.requests,
    failures: whole.failures,
    endedBecause,
    steps: rows,
  };
}

/** What there is to tell if the services did not even start. */
export function nothingMeasured(steps: readonly Step[], seconds: number, reason: unknown): Results {
  return { ok: false, seconds, requests: 0, failures: 0, endedBecause: messageOf(reason), steps: steps.map(notRun) };
}

async function runStep(step: Step, { demo, waiting, progress }: Measuring): Promise<Row> {
  const window = demo.load.open();
  const show = (describe: () => string) => progress.show(() => `    ${describe()}`);
  let finding: Finding;
  try {
    finding = await step.run({ ...waiting, load: demo.load, fleet: demo.fleet, document: demo.document, show });
  } catch (error) {
    finding = { held: false, seen: messageOf(error) };
  }
  progress.show(() => "");
  window.close();
  const { requests, failures, firstFailure } = window;
  return {
    step: step.title,
    seen: firstFailure === null ? finding.seen : `${finding.seen}; the first failure: ${firstFailure}`,
    requests,
    failures,
    verdict: finding.held && failures === 0 ? "held" : "failed",
  };
}

function notRun({ title }: Step): Row {
  return { step: title, seen: "", requests: 0, failures: 0, verdict: "not run" };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
