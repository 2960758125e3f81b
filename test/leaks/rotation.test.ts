import { expect, test } from "vitest";
import { runScenario } from "./run-scenario.ts";
import type { RotationInput, RotationResult } from "./scenarios/rotation.ts";

const SECONDS = Number(process.env.HEDDLE_SOAK_SECONDS ?? 30);
/** A channel that drains holds its connections for a moment, and each rotation makes new contexts in the place of the old ones. */
const MAX_BYTES_A_SECOND = 60_000;

test(`${SECONDS} s at concurrency 32, certificates rotated every 2 s and the root replaced once: no request fails, nothing grows`, {
  timeout: SECONDS * 1_000 + 120_000,
}, async () => {
  const input: RotationInput = { seconds: SECONDS, concurrency: 32, rotateEveryMs: 2_000 };
  const result = await runScenario<RotationResult>("rotation", input, SECONDS * 1_000 + 90_000);
  const { requests, failures, generations, heap, serials, before, after } = result;
  console.log(
    `${requests} requests, ${generations} generations, ${serials} serials, heap ${heap.slope.toFixed(0)} +- ${heap.error.toFixed(0)} bytes/s`,
  );
  expect(failures).toEqual([]);
  expect(requests).toBeGreaterThan(1_000);
  expect(generations).toBeGreaterThanOrEqual(SECONDS / 2 - 3);
  expect(serials).toBeGreaterThan(generations);
  expect(heap.slope).toBeLessThan(MAX_BYTES_A_SECOND);
  expect(after).toEqual(before);
});
