import { readFileSync } from "node:fs";

const { env } = process;

/** Asked for; 0: what each test takes without being asked. */
export const RUNS: number = Number(env.HEDDLE_MODEL_RUNS ?? 0);
if (!Number.isSafeInteger(RUNS) || RUNS < 0) throw new Error("HEDDLE_MODEL_RUNS must be a whole number");
const DEFAULT_SEED = 20_260_101;

/** A scenario to play beside the generated ones: a file with the counterexample as a failure printed it, in its brackets or without. */
export function givenScenario(): unknown {
  const path = env.HEDDLE_MODEL_SCENARIO;
  return path === undefined ? undefined : [JSON.parse(readFileSync(path, "utf8"))].flat()[0];
}

/**
 * Runs a property as the environment says: HEDDLE_MODEL_RUNS (more than usual takes another seed each time), HEDDLE_MODEL_SEED and
 * HEDDLE_MODEL_PATH (which a failure prints). `share`: of the runs asked for, where they are slow. Returns how many runs there were.
 */
export async function assertProperty(
  file: string,
  { usual, share = 1 }: { readonly usual: number; readonly share?: number },
  assert: (options: { readonly numRuns: number; readonly seed: number; readonly path?: string }) => Promise<void>,
): Promise<number> {
  const numRuns = RUNS === 0 ? usual : Math.ceil(RUNS * share);
  const seed = Number(env.HEDDLE_MODEL_SEED ?? (numRuns > usual ? process.hrtime.bigint() % 2_147_483_647n : DEFAULT_SEED));
  const path = env.HEDDLE_MODEL_PATH;
  try {
    await assert({ numRuns, seed, ...(path !== undefined && { path }) });
  } catch (error) {
    const found = /path: "([\d:]+)"/.exec(String(error))?.[1];
    console.error(`again: HEDDLE_MODEL_SEED=${seed}${found ? ` HEDDLE_MODEL_PATH=${found}` : ""} npx vitest run ${file}`);
    throw error;
  }
  return numRuns;
}
