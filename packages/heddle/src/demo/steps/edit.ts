import { toV2 } from "../load-window.ts";
import { checkShare, percent } from "../statistics.ts";
import type { Step } from "../step.ts";
import { gather, until } from "../wait.ts";

const REQUESTS = { wanted: 600, patienceMs: 4_000, least: 200 };

export const edit: Step = {
  title: "edit: the weights become 50 and 50",
  async run({ load, fleet, document, show, ...waiting }) {
    const before = (await fleet.inspect()).map(({ revision }) => revision);
    show(() => "the file is written");
    document.write(document.text({ v1: 50, v2: 50 }));
    const liveMs = await until("the edit was in force in every process", 5_000, waiting, async () =>
      (await fleet.inspect()).every(({ revision }, index) => revision > (before[index] ?? 0)),
    );
    const window = load.open();
    show(
      () =>
        `${window.requests} of ${REQUESTS.wanted} requests, ${percent(toV2(window.answered(null)) / Math.max(1, window.requests))} to v2`,
    );
    await gather("answered requests", REQUESTS, waiting, () => window.answered(null).length);
    window.close();
    const answered = window.answered(null);
    const { held, seen } = checkShare(toV2(answered), answered.length, 0.5, "to v2");
    return { held, seen: `in force in all ${fleet.all.length} processes ${Math.round(liveMs)} ms after it was saved; ${seen}` };
  },
};
