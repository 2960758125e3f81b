import type { CallRecord } from "./callers.ts";
import type { Scenario } from "./commands.ts";
import type { Coverage } from "./coverage.ts";
import { Watch } from "./ejections.ts";
import { afterClose, afterDrain, history } from "./final-checks.ts";
import { traceOf } from "./trace.ts";
import { World } from "./world.ts";

/** Longer than everything that is waited for: deadlines, retries after 8 s, a reader that is cut after 30 s. */
const LONG_ENOUGH_MS = 75_000;

export interface Run {
  readonly trace: readonly string[];
  readonly coverage: Coverage;
}

/** Plays a scenario, ends it, and throws with everything that did not hold. */
export async function play(scenario: Scenario): Promise<Run> {
  const world = new World(scenario);
  const watch = new Watch();
  for (const [index, command] of scenario.commands.entries()) {
    await world.perform(command);
    refuse([...watch.look(world), ...world.violations, ...world.journal.violations], `after command ${index}`, world);
  }
  await finish(world);
  return { trace: traceOf(world), coverage: world.coverage };
}

async function finish(world: World): Promise<void> {
  const wasClosed = world.closing !== null;
  await world.test.advance("1s");
  for (const record of world.callers.all) if (!endsByItself(record)) world.callers.leave(record);
  world.protectedCalls.leaveAll();
  await world.test.advance(0);
  refuse(
    world.callers.open.length === 0 ? [] : world.callers.open.map(({ id }) => `${id} waits although its caller left`),
    "after all callers left",
    world,
  );
  await world.test.advance(LONG_ENOUGH_MS);
  if (!wasClosed) refuse(await afterDrain(world), "when all is over", world);
  world.close(0, 0);
  await world.test.advance(0);
  refuse(await afterClose(world), "after close", world);
  refuse(history(world), "looking back", world);
}

/** What nobody reads is cut, where no reader of another library has taken it. */
function endsByItself({ head, reading, command: { door } }: CallRecord): boolean {
  return head !== null && reading === "never" && (door === "request" || door === "service" || door === "test-request");
}

function refuse(violations: readonly string[], when: string, world: World): void {
  const all = [...violations, ...world.protectedCalls.violations];
  if (all.length > 0) throw new Error(`${when} (${world.now} ms):\n  ${all.join("\n  ")}\n${world.test.timeline()}`);
}
