import type { ScaleRow } from "./rows.ts";

/** One measured point of a plot, in microseconds of CPU for each request. */
export interface PlotPoint {
  readonly series: string;
  readonly x: number;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** What a plot is drawn from, as it lies beside the drawing. */
export interface PlotData {
  readonly name: string;
  readonly points: readonly PlotPoint[];
}

/** The points of a run, by plot, in the order in which they were measured. */
export function plotDataOf(rows: readonly ScaleRow[]): readonly PlotData[] {
  const plots = new Map<string, PlotPoint[]>();
  for (const { point, value, low, high } of rows) {
    if (point === null) continue;
    const points = plots.get(point.plot) ?? [];
    plots.set(point.plot, points);
    points.push({ series: point.series, x: point.x, value, low, high });
  }
  return Array.from(plots, ([name, points]) => ({ name, points }));
}

/** One point a line, so that a new run shows as changed lines. */
export function plotDataText({ name, points }: PlotData): string {
  const lines = points.map((point) => `    ${JSON.stringify(point)}`).join(",\n");
  return `{\n  "name": ${JSON.stringify(name)},\n  "points": [\n${lines}\n  ]\n}\n`;
}

export function readPlotData(text: string): PlotData {
  return JSON.parse(text) as PlotData;
}
