import { afterAll, beforeAll, expect, test } from "vitest";
import type { RoundsResult } from "./rounds.ts";
import { runScenario } from "./run-scenario.ts";
import type { CoreRoundsInput } from "./scenarios/core-rounds.ts";
import { startUpstream, type Upstream } from "./upstream-process.ts";

const MAX_BYTES_A_ROUND = 5_000;
const ROUNDS = Number(process.env.HEDDLE_LEAK_ROUNDS ?? 1_000);

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream();
});
afterAll(() => upstream[Symbol.dispose]());

test.each([
  { how: "by every front door of core and http", name: "core-rounds", rounds: ROUNDS, limitMs: 60_000 + ROUNDS * 100 },
  { how: "with a file, a listener, globals and signals", name: "joined-rounds", rounds: ROUNDS / 5, limitMs: 60_000 + ROUNDS * 100 },
])("a mesh that was made, used $how, edited and closed leaves nothing", { timeout: ROUNDS * 100 + 90_000 }, async (given) => {
  const input: CoreRoundsInput = { address: upstream.addresses[0] ?? "", rounds: given.rounds };
  const result = await runScenario<RoundsResult>(given.name, input, given.limitMs);
  const { slope, error } = result.heap;
  console.log(
    `${given.name}: ${given.rounds} rounds of ${result.roundMs.toFixed(1)} ms, heap ${slope.toFixed(0)} +- ${error.toFixed(0)} bytes a round`,
  );
  expect(result.after).toEqual(result.before);
  expect(result.instancesAfter).toEqual(result.instancesBefore);
  expect(result.changedGlobals).toBe(0);
  expect(slope).toBeLessThan(MAX_BYTES_A_ROUND);
});
