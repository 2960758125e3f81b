import { parseArgs } from "node:util";
import { parseTrustDomain, systemClock } from "@heddle/core";
import { Authority, authorityFolder, createAuthorityFolder, DEV_DIR, DEV_ROOT_LIFETIME_MS, DEV_TRUST_DOMAIN } from "@heddle/spiffe";
import { isRefusedInProduction, warnOfAuthority } from "./ca-production.ts";
import { type Command, EXIT, UsageError } from "./command.ts";

export const caInit: Command = {
  usage: "ca init [--dir DIR] [--trust-domain NAME] [--allow-in-production] [--json]",
  summary: "init makes a certificate authority of a trust domain in a folder that is empty or missing.",
  async run(args, output) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        dir: { type: "string" },
        "trust-domain": { type: "string" },
        json: { type: "boolean" },
        "allow-in-production": { type: "boolean" },
      },
    });
    const trustDomain = parseTrustDomain(values["trust-domain"] ?? DEV_TRUST_DOMAIN);
    if (!trustDomain.ok) throw new UsageError(trustDomain.reason);
    if (isRefusedInProduction(output, values["allow-in-production"])) return EXIT.failed;
    const folder = authorityFolder(values.dir ?? DEV_DIR);
    const authority = Authority.create({
      trustDomain: trustDomain.value,
      nowMs: systemClock.wallTime(),
      lifetimeMs: DEV_ROOT_LIFETIME_MS,
    });
    const created = createAuthorityFolder(folder, authority);
    if (!created.ok || !created.value) {
      output.err.write(`error: ${created.ok ? `${folder.path} is not empty; it stays as it is` : created.reason}\n`);
      return EXIT.failed;
    }
    warnOfAuthority(output, folder.path);
    const { path: dir, certificateFile, keyFile } = folder;
    const notAfter = new Date(authority.notAfterMs).toISOString();
    output.out.write(
      values.json
        ? `${JSON.stringify({ trustDomain: trustDomain.value, dir, certificateFile, keyFile, notAfter })}\n`
        : `authority of ${trustDomain.value}, until ${notAfter}\n  ${certificateFile}\n  ${keyFile}\n`,
    );
    return EXIT.ok;
  },
};
