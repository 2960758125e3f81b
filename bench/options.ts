import { parseArgs } from "node:util";
import { namedSuites } from "./named-suites.ts";
import { SUITE_NAMES, type SuiteName } from "./suites.ts";

export interface BenchOptions {
  /** Where the rows are written as JSON. */
  readonly json: string | null;
  /** A Markdown table on stdout instead of a plain one. */
  readonly md: boolean;
  readonly suites: readonly SuiteName[];
  /** A few seconds for each suite: shows that the bench works, measures little. */
  readonly quick: boolean;
  /** For all chosen comparisons together, checks at their ends not counted. */
  readonly seconds: number;
  /** Put the figures into docs/performance.md and README.md. */
  readonly writeDocs: boolean;
}

export const USAGE: string = `npm run bench -- [options]
  --only SUITE[,SUITE]  of ${SUITE_NAMES.join(", ")}; default all
  --seconds N           time to measure in, shared by the chosen suites; default 420
  --quick               a few seconds for each suite
  --json FILE           write the rows there
  --md                  print a Markdown table
  --write-docs          put the figures into docs/performance.md and README.md; of all suites, not --quick`;

const DEFAULT_SECONDS = 420;
const QUICK_SECONDS = 12;

/** Throws TypeError on what it does not know. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      json: { type: "string" },
      md: { type: "boolean", default: false },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      seconds: { type: "string" },
      "write-docs": { type: "boolean", default: false },
    },
  });
  const seconds = Number(values.seconds ?? (values.quick ? QUICK_SECONDS : DEFAULT_SECONDS));
  if (!(seconds > 0 && seconds <= 3_600)) throw new TypeError(`--seconds ${values.seconds} must be above 0 and at most 3600`);
  if (values["write-docs"] && (values.quick || values.only !== undefined)) {
    throw new TypeError("--write-docs replaces all figures of the page: it takes neither --quick nor --only");
  }
  return {
    json: values.json ?? null,
    md: values.md,
    suites: namedSuites(values.only, SUITE_NAMES),
    quick: values.quick,
    seconds,
    writeDocs: values["write-docs"],
  };
}
