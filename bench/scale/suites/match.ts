import { type Experiment, limited, type Plan } from "../experiment.ts";
import type { PathKind } from "../probes/routes.ts";

const PLAN: Plan = { processes: 2, rounds: 20, roundMs: 100, warmUpMs: 600 };
const ROUTES = 1_000;
const KINDS: readonly PathKind[] = ["prefix", "exact", "regex"];

/** The worst position is the last; which kind of route stands there decides what the match itself costs. */
export const MATCH: readonly Experiment[] = KINDS.map((last) => ({
  suite: "match",
  group: "match",
  probe: "match",
  parameters: { routes: ROUTES, last },
  figures: [limited(`1,000 routes, the last is taken: ${last}`, "match", "us CPU", 1, 2)],
  point: null,
  plan: PLAN,
  needsServers: false,
  isExtra: last !== "prefix",
}));
