import { failuresOf } from "../fleet.ts";
import type { Step } from "../step.ts";
import { gather } from "../wait.ts";

const FAILURES = { wanted: 40, patienceMs: 4_000, least: 5 };

/** `catalog-2` fails every fifth request all the while; this counts it. */
export const flakyEndpoint: Step = {
  title: "retries: catalog-2 fails every fifth request",
  async run({ load, fleet, show, ...waiting }) {
    const window = load.open();
    const before = failuresOf(await fleet.view("web", "catalog-2"));
    let failures = 0;
    show(() => `${failures} failed tries seen by web, ${window.failures} failed requests`);
    await gather("failed tries at catalog-2", FAILURES, waiting, async () => {
      failures = failuresOf(await fleet.view("web", "catalog-2")) - before;
      return failures;
    });
    window.close();
    return {
      held: window.failures === 0,
      seen: `web saw ${failures} tries fail at catalog-2 (503s and resets) in ${window.requests} requests; ${window.failures} reached a user`,
    };
  },
};
