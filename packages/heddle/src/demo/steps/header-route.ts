import { toV2 } from "../load-window.ts";
import type { Step } from "../step.ts";
import { until } from "../wait.ts";

const REQUESTS = 200;
const USER = "jason";

export const headerRoute: Step = {
  title: `header route: x-user: ${USER} always gets v2`,
  async run({ load, show, ...waiting }) {
    const window = load.open();
    load.user = USER;
    show(() => `${window.answered(USER).length} of ${REQUESTS} requests with the header`);
    try {
      await until(`${REQUESTS} requests with the header were answered`, 8_000, waiting, () => window.answered(USER).length >= REQUESTS);
    } finally {
      load.user = null;
      window.close();
    }
    const [withHeader, without] = [window.answered(USER), window.answered(null)];
    return {
      held: toV2(withHeader) === withHeader.length && toV2(without) < without.length,
      seen: `${toV2(withHeader)} of ${withHeader.length} with the header to v2, ${toV2(without)} of ${without.length} without it`,
    };
  },
};
