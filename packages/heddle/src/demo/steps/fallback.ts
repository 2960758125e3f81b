import { requestsOf } from "../fleet.ts";
import type { LoadWindow } from "../load-window.ts";
import type { Stage, Step } from "../step.ts";
import { gather, until } from "../wait.ts";

const NAME = "suggestions";
const PAGES_WITHOUT = { wanted: 200, patienceMs: 3_000, least: 30 };

export const fallback: Step = {
  title: `fallback: ${NAME} is killed, pages go without`,
  async run({ load, fleet, show, ...waiting }) {
    const window = load.open();
    const before = await countFailures(fleet);
    const { pid, instance } = fleet.process(NAME);
    await fleet.process(NAME).kill();
    show(() => `it is down: ${pagesWithout(window)} pages without suggestions, ${window.failures} failed`);
    await gather("pages without suggestions", PAGES_WITHOUT, waiting, () => pagesWithout(window));
    const without = pagesWithout(window);
    const stoodInFor = (await countFailures(fleet)) - before;
    show(() => "it starts again");
    await fleet.start(instance);
    const backMs = await until("pages had suggestions again", 8_000, waiting, async () => {
      const since = load.open();
      await gather("pages", { wanted: 8, patienceMs: 1_000, least: 1 }, waiting, () => since.answered(null).length);
      since.close();
      return pagesWithout(since) === 0;
    });
    window.close();
    return {
      held: window.failures === 0 && stoodInFor > 0,
      seen:
        `SIGKILL of pid ${pid}: ${without} pages had the empty list of the document, ${window.failures} failed; web counted ${stoodInFor} ` +
        `requests to ${NAME} as failed all the same; whole pages again ${Math.round(backMs)} ms after it listened`,
    };
  },
};

function pagesWithout(window: LoadWindow): number {
  return window.answered(null).filter(({ suggestions }) => suggestions === 0).length;
}

/** What the fallback stood in for: counters keep it. */
async function countFailures(fleet: Stage["fleet"]): Promise<number> {
  const counters = await fleet.counters("web", "outbound");
  return requestsOf(counters.filter(({ service, outcome }) => service === NAME && outcome !== "200"));
}
