import { requestsOf } from "../fleet.ts";
import { ratingsCalls, since } from "../ratings-calls.ts";
import type { Stage, Step } from "../step.ts";
import { until } from "../wait.ts";

const NAMES = ["ratings-1", "ratings-2", "ratings-3"];

export const rollingRestart: Step = {
  title: `rolling restart: ${NAMES.length} of ${NAMES.length} ratings, one by one`,
  async run(stage) {
    const before = await ratingsCalls(stage.fleet);
    const window = stage.load.open();
    const restarts: Restart[] = [];
    for (const name of NAMES) {
      stage.show(() => `${name} restarts: ${window.requests} requests, ${window.failures} failed`);
      restarts.push(await restart(name, stage));
    }
    window.close();
    const { calls, failed } = since(before, await ratingsCalls(stage.fleet));
    const backMs = restarts.map((one) => Math.round(one.backMs));
    return {
      held: window.failures === 0 && failed === 0 && calls > 0 && restarts.every(({ code, isNew }) => code === 0 && isNew),
      seen:
        `SIGTERM, drain of 300 ms, the next one on the same port: ${window.requests} requests, ${window.failures} failed; ${calls} calls of reviews, ${failed} failed; exit codes ` +
        `${restarts.map(({ code }) => code).join(", ")}; each asked again ${backMs.join(", ")} ms after it listened`,
    };
  },
};

interface Restart {
  readonly code: number | null;
  readonly isNew: boolean;
  readonly backMs: number;
}

async function restart(name: string, { fleet, load: _load, show: _show, ...waiting }: Stage): Promise<Restart> {
  const former = fleet.process(name);
  const code = await former.stop();
  const { pid } = await fleet.start(former.instance);
  const backMs = await until(
    `the new ${name} was asked`,
    8_000,
    waiting,
    async () => requestsOf(await fleet.counters(name, "inbound")) > 0,
  );
  return { code, isNew: pid !== former.pid, backMs };
}
