import { parseArgs } from "node:util";
import { namedSuites } from "../named-suites.ts";
import { SCALE_SUITES, type ScaleSuite } from "./experiment.ts";

export interface ScaleOptions {
  readonly suites: readonly ScaleSuite[];
  /** Few rounds of what matters most: shows that the bench works, measures little. */
  readonly quick: boolean;
  /** Where the rows are written as JSON. */
  readonly json: string | null;
  /** Put figures and plots into docs/. */
  readonly writeDocs: boolean;
}

export const USAGE: string = `npm run bench:scale -- [options]
  --only SUITE[,SUITE]  of ${SCALE_SUITES.join(", ")}; default all
  --quick               few rounds of what matters most
  --json FILE           write the rows there
  --write-docs          put figures and plots into docs/; of all suites, not --quick`;

/** Throws TypeError on what it does not know. */
export function parseOptions(args: readonly string[]): ScaleOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      "write-docs": { type: "boolean", default: false },
    },
  });
  if (values["write-docs"] && (values.quick || values.only !== undefined)) {
    throw new TypeError("--write-docs replaces all figures of the page: it takes neither --quick nor --only");
  }
  return {
    suites: namedSuites(values.only, SCALE_SUITES),
    quick: values.quick,
    json: values.json ?? null,
    writeDocs: values["write-docs"],
  };
}
