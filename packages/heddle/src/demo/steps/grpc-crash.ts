import { failuresOf } from "../fleet.ts";
import { ratingsCalls, since } from "../ratings-calls.ts";
import type { Stage, Step } from "../step.ts";
import { gather, until } from "../wait.ts";

const NAME = "ratings-2";
const CALLERS = ["reviews-v1-1", "reviews-v1-2", "reviews-v2-1"];
const CALLS_WITHOUT = { wanted: 300, patienceMs: 3_000, least: 50 };

export const grpcCrash: Step = {
  title: `gRPC: ${NAME} is killed, no call of reviews fails`,
  async run(stage) {
    const { load, fleet, show, ...waiting } = stage;
    const window = load.open();
    const before = await ratingsCalls(fleet);
    const triesBefore = await failedTries(fleet);
    const { pid, instance } = fleet.process(NAME);
    await fleet.process(NAME).kill();
    let seen = since(before, await ratingsCalls(fleet));
    show(() => `it is down: ${seen.calls} calls since, ${seen.failed} failed`);
    await gather("calls of reviews without it", CALLS_WITHOUT, waiting, async () => {
      seen = since(before, await ratingsCalls(fleet));
      return seen.calls;
    });
    const tries = (await failedTries(fleet)) - triesBefore;
    show(() => "it starts again");
    await fleet.start(instance);
    const backMs = await until(`the new ${NAME} was asked`, 8_000, waiting, async () => (await fleet.counters(NAME, "inbound")).length > 0);
    seen = since(before, await ratingsCalls(fleet));
    window.close();
    return {
      held: seen.failed === 0 && tries > 0 && window.failures === 0,
      seen:
        `SIGKILL of pid ${pid}: reviews saw ${tries} tries fail there, retry.on: [grpc:unavailable]; ${seen.failed} of ${seen.calls} calls failed, ` +
        `${window.failures} of ${window.requests} requests of users; asked again ${Math.round(backMs)} ms after it listened`,
    };
  },
};

async function failedTries(fleet: Stage["fleet"]): Promise<number> {
  const views = await Promise.all(CALLERS.map((caller) => fleet.view(caller, NAME)));
  return failuresOf(views.flat());
}
