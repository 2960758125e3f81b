import { expect, test } from "vitest";
import { freePorts } from "../../packages/heddle/src/demo/ports.ts";
import { runScenario } from "./run-scenario.ts";
import type { LoadInput, LoadResult, LoadSample } from "./scenarios/load.ts";
import { afterWarmUp, type Trend, trendOf } from "./trend.ts";

const SECONDS = Number(process.env.HEDDLE_SOAK_SECONDS ?? 45);

/** How far the trend may rise in all of the time after the warm-up. What the measure errs by is not taken off: noise excuses nothing. */
const MAX_GROWTH: Readonly<Record<Measure, number>> = {
  // Less than a leak of 10 bytes a request; code that is still being compiled weighs some of it.
  heap: 1_300_000,
  // What the allocator keeps for later is its affair, in steps of megabytes.
  rss: 64_000_000,
  // A restart takes a connection of each caller, which it opens elsewhere; each has its timer and its descriptor. An edit comes every 250 ms.
  timers: 64,
  fileDescriptors: 64,
  connections: 64,
  inspected: 10,
};

type Measure = Exclude<keyof LoadSample, "atMs" | "requests">;

interface Growth extends Trend {
  readonly measure: Measure;
  /** Of the trend, over the time of its samples. */
  readonly growth: number;
  readonly isBounded: boolean;
}

function growthOf(measure: Measure, samples: readonly LoadSample[]): Growth {
  const trend = trendOf(samples.map((sample) => ({ at: sample.atMs / 1_000, value: sample[measure] })));
  const seconds = ((samples.at(-1)?.atMs ?? 0) - (samples[0]?.atMs ?? 0)) / 1_000;
  const growth = trend.slope * seconds;
  return { measure, ...trend, growth, isBounded: growth <= MAX_GROWTH[measure] };
}

test(`${SECONDS} s of load at concurrency 64, with edits and killed endpoints, cost no GET and grow nothing`, {
  timeout: SECONDS * 1_000 + 120_000,
}, async () => {
  const input: LoadInput = { ports: await freePorts(5), seconds: SECONDS };
  const result = await runScenario<LoadResult>("load", input, SECONDS * 1_000 + 100_000);
  const samples = afterWarmUp(result.samples);
  const growths = (Object.keys(MAX_GROWTH) as Measure[]).map((measure) => growthOf(measure, samples));
  const { requests, edits, restarts, failures } = result;
  console.log(`${requests} requests, ${edits} edits, ${restarts} restarts; ${samples.length} samples after the warm-up`);
  for (const { measure, slope, error, growth } of growths) {
    console.log(
      `${measure}: ${slope.toFixed(2)} +- ${error.toFixed(2)} a second, ${growth.toFixed(0)} in all, last ${samples.at(-1)?.[measure]}`,
    );
  }
  expect(failures).toEqual([]);
  expect(growths.filter(({ isBounded }) => !isBounded)).toEqual([]);
  expect(result.inFlightAfter).toBe(0);
  expect(result.after).toEqual(result.before);
  expect(requests).toBeGreaterThan(SECONDS * 50);
  expect(edits).toBeGreaterThan(SECONDS);
  expect(restarts).toBeGreaterThanOrEqual(SECONDS / 10);
});
