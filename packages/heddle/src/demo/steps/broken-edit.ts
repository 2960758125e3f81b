import type { Inspection, Problem } from "@heddle/core";
import { toV2 } from "../load-window.ts";
import { checkShare } from "../statistics.ts";
import type { Step } from "../step.ts";
import { gather, until } from "../wait.ts";

const REQUESTS = { wanted: 300, patienceMs: 3_000, least: 100 };

export const brokenEdit: Step = {
  title: "broken edit: a misspelt key is refused",
  async run({ load, fleet, document, show, ...waiting }) {
    const good = document.text({ v1: 50, v2: 50 });
    document.write(good.replace("weight:", "wieght:"));
    show(() => "the file is written");
    await until("every process refused the edit", 5_000, waiting, async () => (await fleet.inspect()).every(isRefusing));
    const refused = (await fleet.inspect()).map(refusal);
    const window = load.open();
    show(() => `refused; ${window.requests} of ${REQUESTS.wanted} requests since, ${window.failures} failed`);
    await gather("answered requests", REQUESTS, waiting, () => window.answered(null).length);
    window.close();
    document.write(good);
    await until("every process took the mended file", 5_000, waiting, async () => !(await fleet.inspect()).some(isRefusing));
    const answered = window.answered(null);
    const split = checkShare(toV2(answered), answered.length, 0.5, "to v2");
    const [first] = refused;
    return {
      held: split.held && first !== undefined && refused.every((problem) => problem !== null && isPlaced(problem, document.path)),
      seen: `all ${refused.length} processes: ${first?.where}: ${first?.message}; meanwhile ${split.seen}`,
    };
  },
};

function isRefusing({ sources }: Inspection): boolean {
  return sources.some(({ state }) => state === "failing");
}

function refusal({ problems }: Inspection): Problem | null {
  return problems.findLast(({ severity }) => severity === "error") ?? null;
}

/** It says where, as file:line:column. */
function isPlaced({ where }: Problem, path: string): boolean {
  return where.startsWith(`${path}:`) && /:\d+:\d+$/.test(where);
}
