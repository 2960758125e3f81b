import { compared, type Experiment, limited, type Plan } from "../experiment.ts";
import type { UpdateParameters } from "../probes/update.ts";

const PLAN: Plan = { processes: 2, rounds: 15, roundMs: 60, warmUpMs: 300 };
const ENDPOINTS = 10_000;

function experiment(name: string, change: UpdateParameters["change"], as: UpdateParameters["as"], isJudged: boolean): Experiment {
  const parameters: UpdateParameters = { endpoints: ENDPOINTS, change, as };
  return {
    suite: "update",
    group: name,
    probe: "update",
    parameters,
    figures: [
      ...(isJudged
        ? [limited(`${name}: in force after`, "inForce", "ms", 10, 10), limited(`${name}: longest turn`, "block", "ms", 5, 5)]
        : [compared(`${name}: in force after`, "inForce", "ms"), compared(`${name}: longest turn`, "block", "ms")]),
      compared(`${name}: CPU time of it`, "cpu", "ms CPU"),
    ],
    point: null,
    plan: PLAN,
    needsServers: true,
    isExtra: !isJudged,
  };
}

export const UPDATE: readonly Experiment[] = [
  experiment("10,000 endpoints replaced", "replaced", "snapshot", true),
  experiment("10,000 endpoints, other weights", "reweighed", "snapshot", true),
  experiment("one of 10,000 endpoints, another weight", "one", "snapshot", true),
  experiment("10,000 endpoints replaced, as a document", "replaced", "document", false),
];
