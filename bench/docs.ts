import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import type { Row } from "./rows.ts";
import { markdownTable } from "./table.ts";

const PAGE = new URL("../docs/performance.md", import.meta.url);
const BEGIN = "<!-- bench:begin -->";
const END = "<!-- bench:end -->";

/** The figures of a run as the page has them: what they were measured with, then the table. */
export function markdownReport(rows: readonly Row[]): string {
  const { version } = createRequire(import.meta.url)("undici/package.json") as { readonly version: string };
  return `Node ${process.versions.node}, undici ${version}, ${availableParallelism()} cores.\n\n${markdownTable(rows)}`;
}

/** Puts the figures of a run between the page's markers. Throws if they are not there. */
export function writeDocs(rows: readonly Row[]): void {
  const page = readFileSync(PAGE, "utf8");
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`docs/performance.md needs the markers ${BEGIN} and ${END}`);
  writeFileSync(PAGE, `${page.slice(0, begin + BEGIN.length)}\n${markdownReport(rows)}\n${page.slice(end)}`);
}
