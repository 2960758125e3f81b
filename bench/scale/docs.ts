import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { type PlotData, plotDataOf, plotDataText } from "./plot-data.ts";
import { DRAWINGS, drawPlot } from "./plots.ts";
import type { ScaleRow } from "./rows.ts";
import { markdownTable } from "./table.ts";

const PAGE = new URL("../../docs/performance.md", import.meta.url);
export const PLOTS: URL = new URL("../../docs/plots/", import.meta.url);

/** The page with the text between the markers of that name. Throws if they are not there. */
export function putSection(page: string, name: string, text: string): string {
  const begin = `<!-- ${name}:begin -->`;
  const end = `<!-- ${name}:end -->`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/performance.md needs the markers ${begin} and ${end}`);
  return `${page.slice(0, from + begin.length)}\n${text}\n${page.slice(to)}`;
}

/** The figures of a run as the page has them, by section. */
export function sectionsOf(rows: readonly ScaleRow[]): ReadonlyMap<string, string> {
  const tabled = rows.filter(({ suite }) => suite !== "policies" && suite !== "growth");
  const policies = rows.filter(({ suite }) => suite === "policies");
  const plots = plotDataOf(rows).filter(({ name }) => name !== "policies");
  return new Map([
    ["scale", `Node ${process.versions.node}, ${availableParallelism()} cores.\n\n${markdownTable(tabled)}`],
    ["policies", `${image("policies")}\n\n${markdownTable(policies)}`],
    ["growth", plots.map(({ name }) => image(name)).join("\n\n")],
  ]);
}

function image(name: string): string {
  return `![${DRAWINGS[name]?.title ?? name}](plots/${name}.svg)`;
}

/** Puts the figures of a run into the page, and its plots, each with what it was drawn from, beside it. */
export function writeDocs(rows: readonly ScaleRow[]): void {
  mkdirSync(PLOTS, { recursive: true });
  for (const plot of plotDataOf(rows)) writePlot(plot);
  let page = readFileSync(PAGE, "utf8");
  for (const [name, text] of sectionsOf(rows)) page = putSection(page, name, text);
  writeFileSync(PAGE, page);
}

function writePlot(data: PlotData): void {
  writeFileSync(new URL(`${data.name}.json`, PLOTS), plotDataText(data));
  writeFileSync(new URL(`${data.name}.svg`, PLOTS), drawPlot(data));
}
