import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { packageName } from "../architecture/import-table.ts";
import { type ImportKind, importsOf } from "../architecture/imports-of.ts";
import { readSource } from "../architecture/source-file.ts";

/** When a package of ours loads one of its dependencies. */
export type Loading = "on import" | "on first need" | `with \`${string}\`` | "types only" | "not by itself";

interface Use {
  readonly file: string;
  readonly specifier: string;
  readonly kind: ImportKind;
}

/** When each third party is loaded, read from the sources of the package in `folder`. */
export function loadingOf(root: string, folder: string): (dependency: string) => Loading {
  const files = globSync(`${folder}/src/**/*.ts`, { cwd: root, exclude: (path) => path.endsWith(".test.ts") });
  const uses = files.flatMap((path): readonly Use[] => {
    const file = readSource(root, path);
    return importsOf(file).map(({ specifier, kind }) => ({ file: file.path, specifier, kind }));
  });
  const imported = loadedWith(entriesOf(root, folder), uses);
  return (dependency) => {
    const found = uses.filter(({ specifier }) => packageName(specifier) === dependency);
    const loads = found.filter(({ kind }) => kind === "static");
    if (loads.some(({ file }) => imported.has(file))) return "on import";
    if (found.some(({ kind }) => kind === "late")) return "on first need";
    const [aside] = loads.map(({ file }) => dirname(file).slice(`${folder}/`.length)).sort();
    if (aside !== undefined) return `with \`${aside}/\``;
    return found.length > 0 ? "types only" : "not by itself";
  };
}

/** The sources of what users may import: scripts that a process runs are not among them. */
function entriesOf(root: string, folder: string): readonly string[] {
  const { exports = {} } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as {
    readonly exports?: Readonly<Record<string, string | { readonly default?: string }>>;
  };
  return Object.values(exports)
    .map((target) => (typeof target === "string" ? target : (target.default ?? "")))
    .filter((target) => target.startsWith("./dist/"))
    .map((target) => join(folder, target.replace("./dist/", "src/").replace(/\.js$/, ".ts")));
}

function loadedWith(entries: readonly string[], uses: readonly Use[]): ReadonlySet<string> {
  const loaded = new Set(entries);
  for (const file of loaded) {
    for (const use of uses)
      if (use.file === file && use.kind === "static" && use.specifier.startsWith(".")) loaded.add(join(dirname(file), use.specifier));
  }
  return loaded;
}
