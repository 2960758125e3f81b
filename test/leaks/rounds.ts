import { heapAfterGc, settle } from "./heap.ts";
import { type Instances, instances } from "./instances.ts";
import { globalPlaces, type OpenResources, openResources, resourcesAfter } from "./open-resources.ts";
import { until } from "./scenario.ts";
import { afterWarmUp, type Sample, type Trend, trendOf } from "./trend.ts";

export interface RoundsResult {
  readonly before: OpenResources;
  readonly after: OpenResources;
  readonly instancesBefore: Instances;
  readonly instancesAfter: Instances;
  readonly changedGlobals: number;
  /** Bytes a round. */
  readonly heap: Trend;
  readonly roundMs: number;
}

/** What the first rounds open once and for all: compiled code, the process's one watch descriptor, pipes. */
const FIRST_ROUNDS = 10;
const SAMPLES = 100;

/** Makes a round over and over; tells what is open and reachable before and after, and how the heap grew. */
export async function measureRounds(rounds: number, round: (number: number) => Promise<void>): Promise<RoundsResult> {
  for (let number = 0; number < FIRST_ROUNDS; number++) await round(number);
  await settle();
  const instancesBefore = instances();
  const globals = globalPlaces();
  const before = await quiet();
  const samples: Sample[] = [];
  const every = Math.max(1, Math.floor(rounds / SAMPLES));
  const startedAt = performance.now();
  for (let number = 0; number < rounds; number++) {
    await round(number);
    if (number % every === 0) samples.push({ at: number, value: await heapAfterGc() });
  }
  const roundMs = (performance.now() - startedAt) / rounds;
  const after = await resourcesAfter(before);
  await settle();
  const places = globalPlaces();
  const changedGlobals = places.filter((place, index) => place !== globals[index]).length + Math.abs(places.length - globals.length);
  return { before, after, instancesBefore, instancesAfter: instances(), changedGlobals, heap: trendOf(afterWarmUp(samples)), roundMs };
}

/** What closes on its own a moment later (the far end of a socket) is not there any more. */
async function quiet(): Promise<OpenResources> {
  let last = "";
  return until(openResources, (seen) => {
    const same = JSON.stringify(seen) === last;
    last = JSON.stringify(seen);
    return same;
  });
}
