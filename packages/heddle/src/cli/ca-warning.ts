import type { Output } from "./command.ts";

/** On stderr, so that it is seen beside `--json` too. */
export function warnOfAuthority({ err }: Output, dir: string): void {
  err.write(`warning: NOT FOR PRODUCTION: whoever can read ${dir} can be any service of the mesh that trusts it\n`);
}
