import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { exitOnSignals } from "./exit-on-signals.ts";
import { SABOTAGES } from "./sabotages.ts";

const LIMIT_MS = 300_000;
const file = (name: string) => fileURLToPath(new URL(name, import.meta.url));

interface Outcome {
  readonly cases: number;
  readonly difference: string | null;
}

/** Of a process of its own, which fails here where it compared nothing, as without Envoy: that is no sabotage found. */
async function outcomeOf(name: string): Promise<Outcome> {
  const args = ["--disable-warning=ExperimentalWarning", "--import", file("sources-hook.ts"), file("sabotaged.ts")];
  const running = promisify(execFile)(process.execPath, args, {
    env: { ...process.env, HEDDLE_SABOTAGE: name },
    timeout: LIMIT_MS,
    maxBuffer: 16 * 1024 * 1024,
  });
  const end = () => running.child.kill();
  process.once("exit", end);
  try {
    const { stdout } = await running;
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Outcome;
  } finally {
    process.off("exit", end);
  }
}

/** Says whether the comparison with Envoy finds each wrong matcher, and nothing where there is none. */
export async function findSabotages(): Promise<boolean> {
  exitOnSignals();
  const untouched = await outcomeOf("");
  console.log(`untouched: ${untouched.cases} cases, ${untouched.difference === null ? "no difference" : untouched.difference}`);
  let found = 0;
  for (const { name } of SABOTAGES) {
    const { cases, difference } = await outcomeOf(name);
    console.log(`${name}: ${difference === null ? `NOT FOUND in ${cases} cases` : `found after ${cases} cases`}`);
    if (difference !== null) found++;
  }
  console.log(`${found} of ${SABOTAGES.length} wrong matchers found`);
  return untouched.difference === null && found === SABOTAGES.length;
}
