import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { ContractCheck } from "./check.ts";
import { type ControlSourceHarness, FIRST_SERVICE, QUIET_MS, sourceCheck } from "./source-harness.ts";

/** What holds for every source, also one that never changes. */
export const sourceLifetimeChecks: readonly ContractCheck<ControlSourceHarness>[] = [
  sourceCheck("has a name that people can read", async ({ source }) => {
    assert.notEqual(source.name.trim(), "");
  }),
  sourceCheck("tells the whole state soon after somebody watches, once, without a problem", async (harness, watch) => {
    const watcher = watch();
    await watcher.tells([FIRST_SERVICE]);
    await harness.pass(QUIET_MS);
    assert.equal(watcher.snapshots.length, 1, "updates without a change");
    assert.deepEqual(watcher.problems, []);
  }),
  sourceCheck("tells a state whose references can be followed", async (_, watch) => {
    const watcher = watch();
    await watcher.tells([FIRST_SERVICE]);
    const [snapshot] = watcher.snapshots;
    for (const [name, backend] of snapshot?.backends ?? []) {
      assert.equal(backend.name, name, "a backend under another name");
      assert.ok(
        snapshot?.endpointSets.has(backend.endpointSet),
        `backend ${name} names the endpoint set ${backend.endpointSet}, which is missing`,
      );
    }
    const actions = snapshot?.virtualHosts.flatMap((host) => host.routes.map((route) => route.action)) ?? [];
    const named = actions.flatMap((action) => (action.kind === "forward" ? action.to.map((to) => to.backend) : []));
    for (const name of named) assert.ok(snapshot?.backends.has(name), `a route names the backend ${name}, which is missing`);
  }),
  sourceCheck("tells nothing more to a watcher that closed at once", async (harness) => {
    let isClosed = false;
    let calls = 0;
    const told = () => {
      if (isClosed) calls++;
    };
    const close = harness.source.watch({ update: told, problem: told }, harness.clock);
    close();
    isClosed = true;
    await harness.pass(QUIET_MS);
    assert.equal(calls, 0, "calls after close");
  }),
  sourceCheck("can be closed twice, and leaves no timer", async (harness, watch) => {
    const watcher = watch();
    await watcher.tells([FIRST_SERVICE]);
    watcher.close();
    watcher.close();
    await harness.pass(QUIET_MS);
    assert.equal(watcher.timers, 0, "timers left");
  }),
  sourceCheck("can be watched again after it was closed", async (_, watch) => {
    const before = watch();
    await before.tells([FIRST_SERVICE]);
    before.close();
    await watch().tells([FIRST_SERVICE]);
  }),
  sourceCheck("tells each of two watchers, and goes on telling one when the other is closed", async (harness, watch) => {
    const [one, other] = [watch(), watch()];
    await one.tells([FIRST_SERVICE]);
    await other.tells([FIRST_SERVICE]);
    one.close();
    const late = watch();
    await late.tells([FIRST_SERVICE]);
    await harness.pass(QUIET_MS);
    assert.equal(one.snapshots.length, 1, "updates after close");
    assert.equal(other.snapshots.length, 1, "updates because another watched");
  }),
];

/** Everything in a value, as text to compare. */
export function depict(value: unknown): string {
  return inspect(value, { depth: null, sorted: true, maxArrayLength: null, maxStringLength: null });
}
