import fc from "fast-check";
import { expect, test } from "vitest";
import { type Scenario, scenario } from "./commands.ts";
import { add, type Coverage, missing, noCoverage } from "./coverage.ts";
import { assertProperty, givenScenario, RUNS } from "./property.ts";
import { play } from "./run.ts";

const DEFAULT_RUNS = 300;

/** Plain data played twice: an interpreter of its own is what lets a scenario be repeated, printed and pasted, which fc.commands cannot. */
test("whatever is done to a mesh, what it promises holds, and happens the same way again", { timeout: 600_000 + 500 * RUNS }, async () => {
  const total: Coverage = noCoverage();
  const runs = await assertProperty("test/model/model.test.ts", { usual: DEFAULT_RUNS }, (options) =>
    fc.assert(
      fc.asyncProperty(scenario, async (given) => {
        const { trace, coverage } = await play(given);
        add(total, coverage);
        const again = await play(given);
        expect(firstDifference(trace, again.trace), "the same scenario leaves the same trace").toBe(null);
      }),
      options,
    ),
  );
  console.log(`${runs} runs contained`, total);
  expect(missing(total, runs / DEFAULT_RUNS)).toEqual([]);
});

test.runIf(givenScenario())("the scenario of HEDDLE_MODEL_SCENARIO", async () => {
  const { trace } = await play(givenScenario() as Scenario);
  console.log(trace.join("\n"));
});

function firstDifference(one: readonly string[], other: readonly string[]): string | null {
  const index = one.findIndex((line, at) => line !== other[at]);
  if (index >= 0) return `${one[index]}\n${other[index]}`;
  return one.length === other.length ? null : `${one.length} lines, then ${other.length}`;
}
