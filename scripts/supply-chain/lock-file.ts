import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What package-lock.json says of one folder of node_modules, or of one package of ours. */
export interface LockEntry {
  readonly name?: string;
  readonly version?: string;
  /** A link to a package of ours, which `resolved` names. */
  readonly link?: boolean;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly deprecated?: string;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** By location: `node_modules/pino`, `packages/core`. */
export type Lock = Readonly<Record<string, LockEntry>>;

export function readLock(root: string): Lock {
  return (JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as { readonly packages: Lock }).packages;
}

/** Where `name` is found from `location`, as Node looks: in every node_modules on the way up. Undefined where it is not installed. */
export function locate(lock: Lock, location: string, name: string): string | undefined {
  for (let folder = location; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/")))) {
    const candidate = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    const entry = lock[candidate];
    if (entry !== undefined) return entry.link ? entry.resolved : candidate;
    if (folder === "") return undefined;
  }
}

/** The name under which a package is published. npm writes it down only where the path has another, as of an alias. */
export function nameAt(lock: Lock, location: string): string {
  return lock[location]?.name ?? location.replace(/^(?:.*node_modules|packages)\//, "");
}

export function isOurs(location: string): boolean {
  return location.startsWith("packages/");
}
