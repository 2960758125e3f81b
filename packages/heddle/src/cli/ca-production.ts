import { PROCESS } from "../find-config.ts";
import type { Output } from "./command.ts";

/** As `identity.dev()` does: where NODE_ENV is production nothing is made, unless it is asked for by name. True: it was refused, and said so. */
export function isRefusedInProduction({ err }: Output, isAllowed: boolean | undefined): boolean {
  if (PROCESS.env.NODE_ENV !== "production" || isAllowed === true) return false;
  err.write(
    "error: NODE_ENV is production, and this authority's key lies in a folder; nothing was written; take identities from SPIRE or cert-manager, or say --allow-in-production\n",
  );
  return true;
}

/** On stderr, so that it is seen beside `--json` too. */
export function warnOfAuthority({ err }: Output, dir: string): void {
  err.write(`warning: NOT FOR PRODUCTION: whoever can read ${dir} can be any service of the mesh that trusts it\n`);
}
