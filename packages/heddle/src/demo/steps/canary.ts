import { toV2 } from "../load-window.ts";
import { checkShare, percent } from "../statistics.ts";
import type { Step } from "../step.ts";
import { until } from "../wait.ts";

const REQUESTS = 1_000;

export const canary: Step = {
  title: "canary: 90 of 100 to v1, 10 to v2",
  async run({ load, show, ...waiting }) {
    const window = load.open();
    show(() => `${window.requests} of ${REQUESTS} requests, ${percent(toV2(window.answered(null)) / Math.max(1, window.requests))} to v2`);
    await until(`${REQUESTS} requests were answered`, 12_000, waiting, () => window.answered(null).length >= REQUESTS);
    window.close();
    const answered = window.answered(null);
    return checkShare(toV2(answered), answered.length, 0.1);
  },
};
