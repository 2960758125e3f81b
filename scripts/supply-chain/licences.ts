import { isOurs, type Lock, nameAt } from "./lock-file.ts";
import { broughtBy, directOf, publishedFolders } from "./run-time.ts";

/** Of what a user gets with a package of ours: may be used and shipped in anything, with its notice. */
const RUN_TIME: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "CC0-1.0",
  "ISC",
  "MIT",
  "Python-2.0",
  "Unlicense",
]);

/** Of what only this repository uses, and ships to nobody: also those whose changed files must be published. */
const DEVELOPMENT: ReadonlySet<string> = new Set([...RUN_TIME, "CC-BY-3.0", "CC-BY-4.0", "MPL-2.0"]);

export interface LicenceRow {
  readonly package: string;
  readonly licence: string;
  readonly use: "run time" | "development";
  readonly isAllowed: boolean;
}

/** The `license`, or older `licenses`, of the installed package at a location; undefined where its manifest has neither. */
export type ReadLicence = (location: string) => string | undefined;

/** One row for every package of others in the lock. */
export function licenceRows(lock: Lock, readLicence: ReadLicence): readonly LicenceRow[] {
  const runTime = new Set(
    publishedFolders(lock).flatMap((folder) => [...broughtBy(lock, folder), ...directOf(lock, folder)].map(({ location }) => location)),
  );
  return Object.entries(lock)
    .filter(([location, entry]) => location !== "" && !isOurs(location) && !entry.link)
    .map(([location, { version, license }]) => {
      const use = runTime.has(location) ? ("run time" as const) : ("development" as const);
      const licence = license ?? readLicence(location) ?? "none named";
      return {
        package: `${nameAt(lock, location)}@${version}`,
        licence,
        use,
        isAllowed: isAllowed(licence, use === "run time" ? RUN_TIME : DEVELOPMENT),
      };
    });
}

/** SPDX expressions without inner brackets, in which AND binds more closely. What else there is (WITH, prose) is for a person to read. */
export function isAllowed(expression: string, allowed: ReadonlySet<string>): boolean {
  const choices = expression.replace(/^\(([^()]*)\)$/, "$1").split(" OR ");
  return choices.some((choice) => choice.split(" AND ").every((part) => allowed.has(part)));
}

/** What a package.json says of its licence, in the forms that npm has known. */
export function licenceIn(manifest: { readonly license?: unknown; readonly licenses?: unknown }): string | undefined {
  const named = [manifest.license, ...(Array.isArray(manifest.licenses) ? manifest.licenses : [])]
    .map((value: unknown) => (typeof value === "object" && value !== null && "type" in value ? value.type : value))
    .filter((value) => typeof value === "string");
  return named.length === 0 ? undefined : named.join(" OR ");
}
