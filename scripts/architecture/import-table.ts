import { builtinModules } from "node:module";
import { dirname, join, normalize } from "node:path/posix";
import { type Import, importsOf } from "./imports-of.ts";
import { at, type SourceFile, type Violation } from "./source-file.ts";
import { type Area, covers, type ImportTables } from "./tables.ts";

const OUR_PACKAGE = /^(?:@heddle\/([a-z-]+)|(heddle))$/;

/** Every import goes where ARCHITECTURE.md's tables allow it, types included. Tests may import anything. */
export function checkImportTable(files: readonly SourceFile[], tables: ImportTables): readonly Violation[] {
  return files.filter((file) => !file.isTest).flatMap((file) => checkFile(file, tables));
}

function checkFile(file: SourceFile, tables: ImportTables): readonly Violation[] {
  const area = areaOf(file.path, tables.areas);
  if (!area) return [{ where: file.path, message: "belongs to no area of ARCHITECTURE.md's import table" }];
  return importsOf(file).flatMap((found) => {
    const message = objection(file, area, found, tables);
    return message === undefined ? [] : [{ where: at(file, found.node), message }];
  });
}

function objection(file: SourceFile, area: Area, found: Import, tables: ImportTables): string | undefined {
  const { specifier } = found;
  if (isBuiltin(specifier)) return specifier.startsWith("node:") ? undefined : `write node:${specifier}`;
  const target = targetOf(file.path, specifier);
  return target === undefined ? thirdPartyObjection(file, found, tables) : ourObjection(file, area, specifier, target, tables);
}

function ourObjection(file: SourceFile, area: Area, specifier: string, target: string, tables: ImportTables): string | undefined {
  const from = packageOf(file.path);
  if (specifier.startsWith(".") && packageOf(target) !== from) return `reaches into another package with "${specifier}"; import its name`;
  if (!specifier.startsWith(".") && packageOf(target) === from)
    return `imports its own package by name ("${specifier}"); use a relative path`;
  const to = areaOf(target, tables.areas);
  if (!to) return `imports ${target}, which belongs to no area of ARCHITECTURE.md's import table`;
  if (to === area || area.mayImport.includes(to.name)) return undefined;
  return `${area.name} may not import ${to.name} ("${specifier}"); it may import: ${area.mayImport.join(", ") || "nothing"}`;
}

function thirdPartyObjection(file: SourceFile, found: Import, tables: ImportTables): string | undefined {
  const name = packageName(found.specifier);
  const rows = tables.thirdParties.filter((party) => party.name === name);
  if (rows.length === 0) return `imports "${name}", which is not in ARCHITECTURE.md's table of third parties`;
  const row = rows.find(({ files }) => covers(files, file.path));
  if (!row) return `may not import "${name}"; only ${rows.flatMap(({ files }) => files).join(", ")} may`;
  if (found.kind === "static" && row.loaded === "late")
    return `loads "${name}" with the file; load it on first need, through createRequire`;
  if (found.kind !== "type" && row.loaded === "type") return `may import only types of "${name}"`;
  return undefined;
}

/** The path of one of our files that a specifier names; undefined for what is not ours. */
export function targetOf(from: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return normalize(join(dirname(from), specifier));
  const ours = OUR_PACKAGE.exec(specifier);
  return ours ? `packages/${ours[1] ?? ours[2]}/src/index.ts` : undefined;
}

/** The most particular area that names the file: a file before the files of a folder before everything below one. */
function areaOf(path: string, areas: readonly Area[]): Area | undefined {
  const precision = (area: Area) => Math.max(...area.files.filter((pattern) => covers([pattern], path)).map((pattern) => rank(pattern)));
  return areas.filter((area) => covers(area.files, path)).sort((a, b) => precision(b) - precision(a))[0];
}

function rank(pattern: string): number {
  if (pattern.endsWith("/")) return pattern.length;
  return pattern.endsWith("/*.ts") ? 1000 + pattern.length : 2000 + pattern.length;
}

function packageOf(path: string): string {
  return path.split("/", 2).join("/");
}

export function packageName(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? specifier);
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith("node:") || builtinModules.includes(specifier);
}
