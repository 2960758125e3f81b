import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { putSection } from "../section.ts";
import { type PlotData, plotDataOf, plotDataText } from "./plot-data.ts";
import { DRAWINGS, drawPlot } from "./plots.ts";
import type { ScaleRow } from "./rows.ts";
import { markdownTable } from "./table.ts";

const PAGE = new URL("../../docs/performance.md", import.meta.url);
export const PLOTS: URL = new URL("../../docs/plots/", import.meta.url);

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
  for (const [name, text] of sectionsOf(rows)) page = putSection("docs/performance.md", page, name, text);
  writeFileSync(PAGE, page);
}

function writePlot(data: PlotData): void {
  writeFileSync(new URL(`${data.name}.json`, PLOTS), plotDataText(data));
  writeFileSync(new URL(`${data.name}.svg`, PLOTS), drawPlot(data));
}
