import { compared, type Experiment, limited } from "../experiment.ts";

export const IMPORT: readonly Experiment[] = [
  {
    suite: "import",
    group: "import",
    probe: "import",
    parameters: {},
    figures: [
      limited("@heddle/core and @heddle/http, over undici: time", "cpu", "ms CPU", 30, 30),
      limited("@heddle/core and @heddle/http, over undici: memory", "resident", "MB", 5, 5),
      compared("@heddle/core and @heddle/http, over undici: of that on the heap", "heap", "MB"),
    ],
    point: null,
    plan: { processes: 25, rounds: 1, roundMs: 0, warmUpMs: 0 },
    needsServers: false,
    isExtra: false,
  },
];
