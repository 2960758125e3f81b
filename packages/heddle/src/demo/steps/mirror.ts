import type { OutcomeCounts } from "@heddle/core";
import { requestsOf } from "../fleet.ts";
import { checkShare } from "../statistics.ts";
import type { Stage, Step } from "../step.ts";
import { gather } from "../wait.ts";

const REQUESTS = { wanted: 600, patienceMs: 4_000, least: 100 };

export const mirror: Step = {
  title: "mirror: 20 of 100 copied to catalog-next, which fails all",
  async run({ load, fleet, show, ...waiting }) {
    const before = await count(fleet);
    let now = before;
    const window = load.open();
    show(() => `${now.copies - before.copies} copies of ${now.requests - before.requests} requests, ${window.failures} failed requests`);
    await gather("requests to catalog", REQUESTS, waiting, async () => {
      now = await count(fleet);
      return now.requests - before.requests;
    });
    window.close();
    const copies = now.copies - before.copies;
    const share = checkShare(copies, now.requests - before.requests, 0.2, "copied");
    const failed = now.failedCopies - before.failedCopies;
    const arrived = now.arrived - before.arrived;
    return {
      held: share.held && failed === copies && arrived > 0 && window.failures === 0,
      seen: `${share.seen}; ${arrived} arrived at catalog-next, ${failed} of ${copies} failed there, ${window.failures} at a user`,
    };
  },
};

interface Counts {
  readonly requests: number;
  readonly copies: number;
  readonly failedCopies: number;
  /** At catalog-next, by its own count. */
  readonly arrived: number;
}

async function count(fleet: Stage["fleet"]): Promise<Counts> {
  const [sent, received] = await Promise.all([fleet.counters("web", "outbound"), fleet.counters("catalog-next", "inbound")]);
  const copies = sent.filter(to("mirror:catalog-next"));
  return {
    requests: requestsOf(sent.filter(to("catalog"))),
    copies: requestsOf(copies),
    failedCopies: requestsOf(copies.filter(({ outcome }) => outcome !== "200")),
    arrived: requestsOf(received),
  };
}

function to(name: string): (counted: OutcomeCounts) => boolean {
  return ({ service }) => service === name;
}
