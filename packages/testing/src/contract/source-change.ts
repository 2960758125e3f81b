import assert from "node:assert/strict";
import type { ContractCheck } from "./check.ts";
import { type ControlSourceHarness, FIRST_SERVICE, QUIET_MS, sourceCheck } from "./source-harness.ts";
import { depict } from "./source-lifetime.ts";

/** What holds for every source whose configuration changes. */
export const sourceChangeChecks: readonly ContractCheck<ControlSourceHarness>[] = [
  sourceCheck("tells every change", async (harness, watch) => {
    const watcher = watch();
    await watcher.tells([FIRST_SERVICE]);
    for (const services of [[FIRST_SERVICE, "second"], ["second"], ["second", "third", "fourth"]]) {
      await harness.write(services);
      await watcher.tells(services);
    }
    assert.deepEqual(watcher.problems, []);
  }),
  sourceCheck("ends at the last of many quick changes", async (harness, watch) => {
    const watcher = watch();
    await watcher.tells([FIRST_SERVICE]);
    for (let round = 0; round < 10; round++) await harness.write([FIRST_SERVICE, `quick-${round}`]);
    await watcher.tells([FIRST_SERVICE, "quick-9"]);
    await harness.pass(QUIET_MS);
    assert.deepEqual(watcher.services(), [FIRST_SERVICE, "quick-9"], "an older state came after the last");
  }),
  sourceCheck("tells a change to every watcher", async (harness, watch) => {
    const watchers = [watch(), watch()];
    for (const watcher of watchers) await watcher.tells([FIRST_SERVICE]);
    await harness.write(["second"]);
    for (const watcher of watchers) await watcher.tells(["second"]);
  }),
  sourceCheck("tells no change after it was closed, and leaves no timer", async (harness, watch) => {
    const [closed, open] = [watch(), watch()];
    await closed.tells([FIRST_SERVICE]);
    await open.tells([FIRST_SERVICE]);
    await harness.write(["second"]);
    closed.close();
    const told = closed.snapshots.length;
    await open.tells(["second"]);
    await harness.write(["third"]);
    await open.tells(["third"]);
    assert.equal(closed.snapshots.length, told, "updates after close");
    assert.equal(closed.timers, 0, "timers left");
  }),
  sourceCheck("does not change a snapshot it gave when the configuration changes", async (harness, watch) => {
    const watcher = watch();
    await watcher.tells([FIRST_SERVICE]);
    const before = depict(watcher.snapshots[0]);
    await harness.write([FIRST_SERVICE, "second"]);
    await watcher.tells([FIRST_SERVICE, "second"]);
    assert.equal(depict(watcher.snapshots[0]), before);
  }),
];
