import assert from "node:assert/strict";
import { type ContractCheck, eventually } from "./check.ts";
import { type ControlSourceHarness, FIRST_SERVICE, QUIET_MS, sourceCheck, type Watcher } from "./source-harness.ts";

interface Trouble {
  readonly what: string;
  readonly cause: (harness: ControlSourceHarness) => Promise<void>;
}

/** What holds for every source whose configuration can be broken. */
export const sourceBreakChecks: readonly ContractCheck<ControlSourceHarness>[] = troubleChecks({
  what: "a broken configuration",
  cause: (harness) => harness.breakIt(),
});

/** What holds for every source whose configuration can vanish. */
export const sourceVanishChecks: readonly ContractCheck<ControlSourceHarness>[] = troubleChecks({
  what: "a configuration that is gone",
  cause: (harness) => harness.remove(),
});

function troubleChecks({ what, cause }: Trouble): readonly ContractCheck<ControlSourceHarness>[] {
  return [
    sourceCheck(`reports ${what} once, and keeps the last good state`, async (harness, watch) => {
      const watcher = watch();
      await watcher.tells([FIRST_SERVICE]);
      await cause(harness);
      await reported(harness, watcher);
      assert.equal(watcher.snapshots.length, 1, "an update while the configuration could not be used");
    }),
    sourceCheck(`reports ${what} again after it recovered from it`, async (harness, watch) => {
      const watcher = watch();
      await watcher.tells([FIRST_SERVICE]);
      for (const round of ["once", "twice"]) {
        const before = watcher.problems.length;
        await cause(harness);
        await eventually(harness, () => watcher.problems.length > before, `a problem, ${round}`);
        await harness.write([FIRST_SERVICE, round]);
        await watcher.tells([FIRST_SERVICE, round]);
      }
    }),
    sourceCheck(`reports ${what} that it meets at the start, and recovers`, async (harness, watch) => {
      await cause(harness);
      const watcher = watch();
      await reported(harness, watcher);
      assert.ok(["", FIRST_SERVICE].includes(watcher.services().join()), "an update that is not the last good state");
      await harness.write(["second"]);
      await watcher.tells(["second"]);
    }),
    sourceCheck(`does not report ${what} after it was closed, and leaves no timer`, async (harness, watch) => {
      const watcher = watch();
      await watcher.tells([FIRST_SERVICE]);
      watcher.close();
      await cause(harness);
      await harness.pass(QUIET_MS);
      assert.deepEqual(watcher.problems, []);
      assert.equal(watcher.timers, 0, "timers left");
    }),
    sourceCheck(`leaves no timer when it is closed after ${what}`, async (harness, watch) => {
      const watcher = watch();
      await watcher.tells([FIRST_SERVICE]);
      await cause(harness);
      await eventually(harness, () => watcher.problems.length > 0, "a problem");
      watcher.close();
      await harness.pass(QUIET_MS);
      assert.equal(watcher.timers, 0, "timers left");
    }),
  ];
}

/** One or more problems at one moment, for a document may have many mistakes; then silence. */
async function reported(harness: ControlSourceHarness, watcher: Watcher): Promise<void> {
  await eventually(harness, () => watcher.problems.length > 0, "a problem");
  await harness.pass(QUIET_MS);
  const told = watcher.problems.map(({ where, message }) => `${where}: ${message}`);
  for (const problem of watcher.problems) {
    assert.notEqual(problem.where.trim(), "", "where a problem is");
    assert.notEqual(problem.message.trim(), "", "what a problem is");
  }
  assert.equal(new Set(told).size, told.length, `a problem was reported again: ${told.join("; ")}`);
  const count = told.length;
  await harness.pass(QUIET_MS);
  assert.equal(watcher.problems.length, count, "more problems, though nothing changed");
}
