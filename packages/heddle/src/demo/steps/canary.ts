import { toV2 } from "../load-window.ts";
import { checkShare, percent } from "../statistics.ts";
import type { Step } from "../step.ts";
import { gather } from "../wait.ts";

const REQUESTS = { wanted: 1_000, patienceMs: 6_000, least: 200 };

export const canary: Step = {
  title: "canary: 90 of 100 to v1, 10 to v2",
  async run({ load, show, ...waiting }) {
    const window = load.open();
    show(
      () =>
        `${window.requests} of ${REQUESTS.wanted} requests, ${percent(toV2(window.answered(null)) / Math.max(1, window.requests))} to v2`,
    );
    await gather("answered requests", REQUESTS, waiting, () => window.answered(null).length);
    window.close();
    const answered = window.answered(null);
    return checkShare(toV2(answered), answered.length, 0.1, "to v2");
  },
};
