import { inColumns } from "../columns.ts";
import type { ScaleRow } from "./rows.ts";

const TITLES = ["what", "median", "95 % interval", "unit", "limit (goal)", "verdict"];

function cells(row: ScaleRow): readonly string[] {
  return [
    row.variant,
    figure(row.value),
    `${figure(row.low)} to ${figure(row.high)}`,
    row.unit,
    row.limit === null ? "" : `${row.limit} (${row.goal})`,
    row.verdict === "compared" ? "" : row.verdict,
  ];
}

/** Three digits that say something, and no more. */
export function figure(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** For people at a terminal. */
export function textTable(rows: readonly ScaleRow[]): string {
  return inColumns([["suite", ...TITLES], ...rows.map((row) => [row.suite, ...cells(row)])]);
}

/** The columns of limits are left out where no row has one. */
export function markdownTable(rows: readonly ScaleRow[]): string {
  const width = rows.some(({ limit }) => limit !== null) ? TITLES.length : TITLES.indexOf("limit (goal)");
  const heads = TITLES.slice(0, width);
  const lines = [heads, heads.map((_, column) => (column === 0 ? "---" : "--:")), ...rows.map((row) => cells(row).slice(0, width))];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}
