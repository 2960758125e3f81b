import { expect, test } from "vitest";
import { runScenario } from "./run-scenario.ts";
import type { ChurnInput, ChurnResult } from "./scenarios/churn.ts";

const input: ChurnInput = { services: 1_000, generations: 20, endpoints: 50, rollouts: 120 };
/** As `MAX_CELLS` of telemetry/metrics.ts, and the one that stands for what has no room, for each direction. */
const MAX_SERIES = 10_000 + 3;

test("1,000 services x 20 generations of names, and 50 endpoints x 120 rollouts, leave nothing of what is gone", {
  timeout: 200_000,
}, async () => {
  const result = await runScenario<ChurnResult>("churn", input, 190_000);
  const { generations, rollouts } = result;
  const grownFrom = (samples: ChurnResult["generations"], from: number) =>
    ((samples.at(-1)?.bytes ?? 0) - (samples[from]?.bytes ?? 0)) / 1_000;
  console.log(
    `generations: ${grownFrom(generations, 9).toFixed(0)} KB from the 10th to the last, ${generations.at(-1)?.series} series; ` +
      `rollouts: ${grownFrom(rollouts, 59).toFixed(0)} KB from the middle to the last, ${rollouts.at(-1)?.series} series`,
  );
  expect(result.used).toBe(input.services * input.generations + input.endpoints * input.rollouts);
  // Channels of an address that stays are kept, also for a service of another name.
  for (const { reachableChannels } of generations) expect(reachableChannels).toBeLessThanOrEqual(input.services);
  for (const { reachableChannels } of rollouts) expect(reachableChannels).toBeLessThanOrEqual(input.endpoints);
  expect(result.opened - result.closed).toBe(input.endpoints);
  expect(result.instances).toMatchObject({ BackendState: 1, EndpointState: input.endpoints, DataPlane: 1 });
  for (const { series } of [...generations, ...rollouts]) expect(series).toBeLessThanOrEqual(MAX_SERIES);
  // The room that series may take is filled and freed again and again: 5,000 of them weigh about a megabyte.
  expect(grownFrom(generations, 9)).toBeLessThan(2_000);
  expect(grownFrom(rollouts, 59)).toBeLessThan(2_000);
  expect(result.isCountedInAll).toBe(true);
  expect(result.countedOfLast).toBe(input.endpoints);
});
