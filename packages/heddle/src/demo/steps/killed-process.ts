import { ejectionsOf, failuresOf } from "../fleet.ts";
import type { LoadWindow } from "../load-window.ts";
import type { Stage, Step } from "../step.ts";
import { gather, until } from "../wait.ts";

const NAME = "reviews-v1-1";
const REQUESTS_WITHOUT = { wanted: 300, patienceMs: 3_000, least: 50 };
const REQUESTS_BACK = 20;

export const killedProcess: Step = {
  title: `crash: ${NAME} is killed and comes back`,
  async run(stage) {
    const { load } = stage;
    const window = load.open();
    const victim = stage.fleet.process(NAME);
    const outage = await killAndWatch(stage, window);
    const { pid, backMs } = await restart(stage);
    window.close();
    return {
      held: window.failures === 0 && outage.failedTries > 0 && pid !== victim.pid,
      seen:
        `SIGKILL of pid ${victim.pid}: web saw ${outage.failedTries} tries fail there and ejected it ${times(outage.ejections)}; ` +
        `${window.failures} requests failed; pid ${pid} took traffic ${Math.round(backMs)} ms after it listened`,
    };
  },
};

/** Until web has noticed and has answered a good many requests without it. */
async function killAndWatch({ fleet, show, ...waiting }: Stage, window: LoadWindow): Promise<{ failedTries: number; ejections: number }> {
  const before = await fleet.view("web", NAME);
  await fleet.process(NAME).kill();
  const atKill = window.requests;
  show(() => `it is down: ${window.requests - atKill} requests since, ${window.failures} failed`);
  await gather("requests without it", REQUESTS_WITHOUT, waiting, () => window.requests - atKill);
  let seen = before;
  await until(`web ejected ${NAME}`, 8_000, waiting, async () => {
    seen = await fleet.view("web", NAME);
    return ejectionsOf(seen) > ejectionsOf(before);
  });
  return { failedTries: failuresOf(seen) - failuresOf(before), ejections: ejectionsOf(seen) - ejectionsOf(before) };
}

/** On the same port, until it takes its share again. */
async function restart({ fleet, load, show, ...waiting }: Stage): Promise<{ pid: number; backMs: number }> {
  show(() => "it starts again");
  const window = load.open();
  const { pid = 0 } = await fleet.start(fleet.process(NAME).instance);
  show(() => `it is back: ${window.answeredBy(pid)} of ${REQUESTS_BACK} requests`);
  const backMs = await until(`the new ${NAME} was asked`, 8_000, waiting, () => window.answeredBy(pid) > 0);
  await until(`the new ${NAME} answered ${REQUESTS_BACK} requests`, 8_000, waiting, () => window.answeredBy(pid) >= REQUESTS_BACK);
  window.close();
  return { pid, backMs };
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
