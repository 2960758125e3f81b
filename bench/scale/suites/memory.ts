import { compared, type Experiment, limited } from "../experiment.ts";

export const MEMORY: readonly Experiment[] = [
  {
    suite: "memory",
    group: "memory",
    probe: "memory",
    parameters: { endpoints: 100_000 },
    figures: [
      limited("of 100,000 endpoints, never asked", "known", "bytes", 500, 500),
      limited("of 100,000 endpoints, each asked once, idle since", "used", "bytes", 500, 500),
      compared("of 100,000 endpoints, each with an open channel of the stub", "open", "bytes"),
    ],
    point: null,
    plan: { processes: 3, rounds: 1, roundMs: 0, warmUpMs: 0 },
    needsServers: false,
    isExtra: false,
  },
];
