import { inColumns } from "./columns.ts";
import type { Row } from "./rows.ts";

const TITLES = [
  "suite",
  "variant",
  "CPU us/request",
  "ratio to base",
  "95 % interval",
  "with sidecars and servers us (ratio, interval)",
  "limit (goal)",
  "verdict",
  "p50 ms",
  "p99 ms",
  "requests/s",
];

function cells(row: Row): readonly string[] {
  const unit = row.base === null ? " us" : "";
  const isBase = row.verdict === "base";
  return [
    row.suite,
    row.variant,
    row.value.toFixed(2),
    row.ratio === null ? "" : row.ratio.toFixed(2),
    isBase ? "" : `${row.low.toFixed(2)} to ${row.high.toFixed(2)}${unit}`,
    hasSidecars(row) ? totalOf(row) : "",
    row.limit === null ? "" : `${row.limit}${unit} (${row.goal})`,
    isBase || row.verdict === "compared" ? "" : verdictOf(row),
    row.p50Ms === null ? "" : row.p50Ms.toFixed(2),
    row.p99Ms === null ? "" : row.p99Ms.toFixed(2),
    String(row.requestsPerSecond),
  ];
}

/** With its own interval, by which rows are judged that have a limit of this sum. */
function totalOf({ totalValue, totalRatio, totalLow, totalHigh, verdict }: Row): string {
  const interval = verdict === "base" ? "" : `, ${totalLow.toFixed(2)} to ${totalHigh.toFixed(2)}`;
  return `${totalValue.toFixed(2)}${totalRatio === null ? "" : ` (${totalRatio.toFixed(2)}${interval})`}`;
}

/** The latency has a limit of its own in some rows. */
function verdictOf({ verdict, p50Ratio, p50Verdict }: Row): string {
  return p50Ratio === null || p50Verdict === null ? verdict : `${verdict}; p50 ${p50Ratio.toFixed(2)}: ${p50Verdict}`;
}

function hasSidecars({ value, totalValue }: Row): boolean {
  return totalValue > value;
}

/** For people at a terminal. */
export function textTable(rows: readonly Row[]): string {
  return inColumns([TITLES, ...rows.map(cells)]);
}

export function markdownTable(rows: readonly Row[]): string {
  const lines = [TITLES, TITLES.map((_, column) => (column < 2 ? "---" : "--:")), ...rows.map(cells)];
  return lines.map((line) => `| ${line.join(" | ")} |`).join("\n");
}
