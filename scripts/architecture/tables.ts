/** The tables of ARCHITECTURE.md's "Imports", as data. */
export interface ImportTables {
  readonly areas: readonly Area[];
  readonly thirdParties: readonly ThirdParty[];
}

/** One row of the first table: who may import what of ours. */
export interface Area {
  readonly name: string;
  /** Files (`packages/core/src/mesh.ts`), files of one folder (`packages/core/src/*.ts`) or everything below one (`packages/http/src/`). */
  readonly files: readonly string[];
  /** Names of other areas. An area may always import itself. */
  readonly mayImport: readonly string[];
}

/** One row of the second table: who may name a package of others, and whether it may be loaded with the file. */
export interface ThirdParty {
  readonly name: string;
  readonly files: readonly string[];
  readonly loaded: "static" | "late" | "type";
}

const LOADED: Readonly<Record<string, ThirdParty["loaded"]>> = { "with the file": "static", "on first need": "late", "types only": "type" };

/** Throws with what is wrong where the section or a cell is not as described in ARCHITECTURE.md. */
export function readImportTables(markdown: string): ImportTables {
  const section = /^## Imports$([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(markdown)?.[1];
  if (section === undefined) throw new Error('ARCHITECTURE.md has no section "## Imports"');
  const areas = rows(section, ["area", "files", "may import"]).map(([name = "", files = "", mayImport = ""]) => ({
    name,
    files: codes(files),
    mayImport: listed(mayImport),
  }));
  for (const area of areas) {
    const unknown = area.mayImport.find((name) => !areas.some((other) => other.name === name));
    if (unknown !== undefined) throw new Error(`ARCHITECTURE.md, Imports: ${area.name} may import "${unknown}", which is no area`);
  }
  const thirdParties = rows(section, ["third party", "files", "loaded"]).map(([name = "", files = "", when = ""]) => {
    const loaded = LOADED[when];
    if (!loaded)
      throw new Error(`ARCHITECTURE.md, Imports: ${name} is loaded "${when}"; expected one of ${Object.keys(LOADED).join(", ")}`);
    return { name: codes(name)[0] ?? name, files: codes(files), loaded };
  });
  return { areas, thirdParties };
}

/** Whether a path is one of the files a row names. */
export function covers(files: readonly string[], path: string): boolean {
  return files.some((pattern) => {
    if (pattern.endsWith("/")) return path.startsWith(pattern);
    if (!pattern.endsWith("/*.ts")) return path === pattern;
    const folder = pattern.slice(0, -"*.ts".length);
    return path.startsWith(folder) && !path.slice(folder.length).includes("/");
  });
}

function rows(section: string, header: readonly string[]): readonly (readonly string[])[] {
  const lines = section.split("\n").map((line) => line.trim());
  const start = lines.findIndex((line) => line.startsWith("|") && cells(line).join() === header.join());
  if (start === -1) throw new Error(`ARCHITECTURE.md, Imports: no table with the columns ${header.join(", ")}`);
  const end = lines.findIndex((line, index) => index > start && !line.startsWith("|"));
  return lines.slice(start + 2, end === -1 ? undefined : end).map(cells);
}

function cells(line: string): readonly string[] {
  return line
    .slice(1, line.endsWith("|") ? -1 : undefined)
    .split("|")
    .map((cell) => cell.trim());
}

function codes(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
}

function listed(cell: string): readonly string[] {
  return cell === "nothing"
    ? []
    : cell
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "");
}
