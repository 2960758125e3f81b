import { toV2 } from "../load-window.ts";
import type { Step } from "../step.ts";
import { gather } from "../wait.ts";

const REQUESTS = { wanted: 200, patienceMs: 4_000, least: 50 };
const USER = "jason";

export const headerRoute: Step = {
  title: `header route: x-user: ${USER} always gets v2`,
  async run({ load, show, ...waiting }) {
    const window = load.open();
    load.user = USER;
    show(() => `${window.answered(USER).length} of ${REQUESTS.wanted} requests with the header`);
    try {
      await gather("answered requests with the header", REQUESTS, waiting, () => window.answered(USER).length);
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
