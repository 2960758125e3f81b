import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Inspection } from "@heddle/core";
import { Authority, type AuthorityFolder, authorityFolder, DEV_DIR, DEV_ROOT_LIFETIME_MS, readAuthorityFolder } from "@heddle/spiffe";
import { TRUST_DOMAIN } from "../document.ts";
import type { Step } from "../step.ts";
import { gather, until } from "../wait.ts";

const REQUESTS = { wanted: 300, patienceMs: 3_000, least: 100 };

export const replacedRoot: Step = {
  title: "rotation: the root of all certificates is replaced",
  async run({ load, fleet, document, show, ...waiting }) {
    const window = load.open();
    const folder = authorityFolder(join(document.folder, DEV_DIR));
    const former = readAuthorityFolder(folder);
    if (!former.ok || former.value === null) throw new Error(`there is no authority in ${folder.path}`);
    const next = Authority.create({ trustDomain: TRUST_DOMAIN, nowMs: waiting.clock.wallTime(), lifetimeMs: DEV_ROOT_LIFETIME_MS });
    const before = serials(await fleet.inspect());
    show(() => "the old root and the new one are trusted");
    replace(folder, { roots: next.bundlePem() + former.value.bundlePem(), key: next.keyPem() });
    const bothMs = await until("every process had a certificate of the new root, and trusted both", 15_000, waiting, async () => {
      const seen = await fleet.inspect();
      return seen.every((each) => rootsOf(each) === 2) && serials(seen).every((serial, index) => serial !== before[index]);
    });
    show(() => "the new root alone is trusted");
    replace(folder, { roots: next.bundlePem(), key: next.keyPem() });
    await until("every process trusted the new root alone", 15_000, waiting, async () =>
      (await fleet.inspect()).every((each) => rootsOf(each) === 1),
    );
    const withoutOld = window.requests;
    const after = serials(await fleet.inspect());
    await gather("requests without the old root", REQUESTS, waiting, () => window.requests - withoutOld);
    window.close();
    return {
      held: window.failures === 0,
      seen:
        `${before.length} certificates, ${new Set([...before, ...after]).size} serial numbers: every process had a new one ${Math.round(bothMs)} ms after the new root ` +
        `stood beside the old one, which was then withdrawn; ${window.failures} of ${window.requests} requests failed`,
    };
  },
};

/** Each file at once. The key first: until its root is there too, the processes keep what they have. */
function replace({ keyFile, certificateFile }: AuthorityFolder, { roots, key }: { readonly roots: string; readonly key: string }): void {
  for (const [file, text] of [
    [keyFile, key],
    [certificateFile, roots],
  ] as const) {
    writeFileSync(`${file}.draft`, text, { mode: 0o600 });
    renameSync(`${file}.draft`, file);
  }
}

function serials(inspections: readonly Inspection[]): readonly (string | undefined)[] {
  return inspections.map(({ identity }) => identity?.certificate?.serial);
}

function rootsOf({ identity }: Inspection): number {
  return identity?.trustDomains[0]?.roots ?? 0;
}
