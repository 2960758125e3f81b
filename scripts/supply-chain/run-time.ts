import { isOurs, type Lock, type LockEntry, locate, nameAt } from "./lock-file.ts";

export type DependencyKind = "dependency" | "peer" | "optional peer";

/** What a package's manifest names. */
export interface Direct {
  readonly name: string;
  readonly kind: DependencyKind;
  readonly range: string;
  readonly location: string;
}

/** What installing a package brings, itself left out. */
export interface Brought {
  readonly name: string;
  readonly version: string;
  readonly location: string;
  /** Names of the packages that ask for it. */
  readonly through: readonly string[];
}

export function publishedFolders(lock: Lock): readonly string[] {
  return Object.keys(lock).filter(isOurs).sort();
}

export function directOf(lock: Lock, folder: string): readonly Direct[] {
  const entry = entryAt(lock, folder);
  const direct = Object.entries(entry.dependencies ?? {}).map(([name, range]) => ({ name, range, kind: "dependency" as const }));
  const peers = Object.entries(entry.peerDependencies ?? {}).map(([name, range]) => ({
    name,
    range,
    kind: entry.peerDependenciesMeta?.[name]?.optional ? ("optional peer" as const) : ("peer" as const),
  }));
  return [...direct, ...peers].map((found) => ({ ...found, location: located(lock, folder, found.name) }));
}

/** The transitive closure of dependencies and required peers, by name. Optional peers are the user's choice, and not in it. */
export function broughtBy(lock: Lock, folder: string): readonly Brought[] {
  const through = new Map<string, Set<string>>();
  const visit = (location: string): void => {
    for (const name of neededBy(lock, location)) {
      const found = located(lock, location, name);
      const askers = through.get(found);
      if (askers !== undefined) askers.add(nameAt(lock, location));
      else {
        through.set(found, new Set([nameAt(lock, location)]));
        visit(found);
      }
    }
  };
  visit(folder);
  return [...through]
    .map(([location, askers]) => ({
      name: nameAt(lock, location),
      version: entryAt(lock, location).version ?? "",
      location,
      through: [...askers].sort(),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.version < b.version ? -1 : 1));
}

function neededBy(lock: Lock, location: string): readonly string[] {
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = entryAt(lock, location);
  const peers = Object.keys(peerDependencies ?? {}).filter((name) => !peerDependenciesMeta?.[name]?.optional);
  // One that npm left out, because it is for another system, is brought to nobody here.
  const optional = Object.keys(optionalDependencies ?? {}).filter((name) => locate(lock, location, name) !== undefined);
  const required = Object.keys(dependencies ?? {}).filter((name) => !Object.hasOwn(optionalDependencies ?? {}, name));
  return [...new Set([...required, ...optional, ...peers])];
}

function located(lock: Lock, from: string, name: string): string {
  const location = locate(lock, from, name);
  if (location === undefined) throw new Error(`package-lock.json: ${from} needs ${name}, which is not in it: run npm install`);
  return location;
}

function entryAt(lock: Lock, location: string): LockEntry {
  const entry = lock[location];
  if (entry === undefined) throw new Error(`package-lock.json has no "${location}": run npm install`);
  return entry;
}
