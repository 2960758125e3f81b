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
  const lines = [["suite", ...TITLES], ...rows.map((row) => [row.suite, ...cells(row)])];
  const widths = ["suite", ...TITLES].map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The columns of limits are left out where no row has one. */
export function markdownTable(rows: readonly ScaleRow[]): string {
  const width = rows.some(({ limit }) => limit !== null) ? TITLES.length : TITLES.indexOf("limit (goal)");
  const heads = TITLES.slice(0, width);
  const lines = [heads, heads.map((_, column) => (column === 0 ? "---" : "--:")), ...rows.map((row) => cells(row).slice(0, width))];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}
