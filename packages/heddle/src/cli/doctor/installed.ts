import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** One copy of a package that the checks know. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  readonly path: string;
  /** Its peerDependencies. */
  readonly peers: Readonly<Record<string, string>>;
  /** The version of @opentelemetry/api that it loads; null: none. */
  readonly api: string | null;
}

const API = "@opentelemetry/api";
const OF_INTEREST = /^(?:heddle|undici|@heddle\/.+|@opentelemetry\/.+)$/;

/** Every copy that code in `folder` or below its node_modules may load, however deep; two links to one place are one copy. */
export function installedPackages(folder: string): readonly InstalledPackage[] {
  const found = new Map<string, InstalledPackage>();
  const visited = new Set<string>();
  for (let at = folder; ; at = dirname(at)) {
    walk(join(at, "node_modules"), found, visited);
    if (dirname(at) === at) return [...found.values()];
  }
}

function walk(modules: string, found: Map<string, InstalledPackage>, visited: Set<string>): void {
  if (!existsSync(modules)) return;
  const real = realpathSync(modules);
  if (visited.has(real)) return;
  visited.add(real);
  for (const { name, path } of packagesIn(real)) {
    if (OF_INTEREST.test(name)) remember(name, path, found);
    walk(join(path, "node_modules"), found, visited);
  }
  // pnpm keeps everything here, each with its dependencies beside it.
  const store = join(real, ".pnpm");
  for (const entry of existsSync(store) ? readdirSync(store) : []) walk(join(store, entry, "node_modules"), found, visited);
}

function packagesIn(modules: string): readonly { readonly name: string; readonly path: string }[] {
  return readdirSync(modules)
    .filter((entry) => !entry.startsWith("."))
    .flatMap((entry) => (entry.startsWith("@") ? scoped(modules, entry) : [entry]))
    .map((name) => ({ name, path: join(modules, name) }));
}

function scoped(modules: string, scope: string): readonly string[] {
  return readdirSync(join(modules, scope)).map((name) => `${scope}/${name}`);
}

interface Manifest {
  readonly version?: string;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

function remember(name: string, link: string, found: Map<string, InstalledPackage>): void {
  const manifest = readManifest(link);
  if (manifest === null) return;
  const path = realpathSync(link);
  found.set(path, { name, version: manifest.version ?? "", path, peers: manifest.peerDependencies ?? {}, api: apiLoadedFrom(path) });
}

function readManifest(folder: string): Manifest | null {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  } catch {
    // Not a package: an empty folder, or a link to nowhere.
    return null;
  }
}

function apiLoadedFrom(path: string): string | null {
  try {
    return readManifest(join(createRequire(join(path, "package.json")).resolve(API), "../../.."))?.version ?? null;
  } catch {
    // It loads none.
    return null;
  }
}
