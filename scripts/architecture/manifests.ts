import { packageName } from "./import-table.ts";
import { importsOf } from "./imports-of.ts";
import { at, type SourceFile, type Violation } from "./source-file.ts";

export interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** What a package loads stands in its package.json, and what stands there is named in its sources. */
export function checkManifest(folder: string, manifest: Manifest, files: readonly SourceFile[]): readonly Violation[] {
  const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }));
  const undeclared: Violation[] = [];
  for (const file of files) {
    if (file.isTest || !file.path.startsWith(`${folder}/src/`)) continue;
    for (const found of importsOf(file)) {
      if (/^(?:\.|node:)/.test(found.specifier) || declared.has(packageName(found.specifier))) continue;
      undeclared.push({ where: at(file, found.node), message: `"${packageName(found.specifier)}" is not in ${folder}/package.json` });
    }
  }
  return undeclared;
}
