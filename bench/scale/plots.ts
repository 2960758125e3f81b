import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { PlotData, PlotPoint } from "./plot-data.ts";

/** What stands around the points of a plot. */
interface Drawing {
  readonly title: string;
  /** Of the axis of `x`, with its unit; null where steps are named by their series. */
  readonly x: string | null;
}

export const DRAWINGS: Readonly<Record<string, Drawing>> = {
  policies: { title: "A request with each policy added to those before it", x: null },
  services: { title: "Growth with the number of services", x: "services in the mesh" },
  endpoints: { title: "Growth with the number of endpoints", x: "endpoints of the service" },
  routes: { title: "Growth with the number of routes; the last one is taken", x: "routes of the service" },
  concurrency: { title: "Growth with concurrency, without sockets", x: "requests in flight" },
  "concurrency-sockets": { title: "Growth with concurrency, over sockets", x: "requests in flight" },
};

const WIDTH = 720;
const HEIGHT = 360;
/** Readable on white and on black, and for the colour-blind (Tol's bright scheme, without its lightest). */
const COLOURS = ["#4477aa", "#ee6677", "#228833", "#aa3377"];
/** A drawing in a page takes no colour from it: the reader's own scheme decides between dark and light text. */
const STYLE = `
  svg.heddle-plot { color: #24292f; font: 12px system-ui, sans-serif; overflow: visible; }
  @media (prefers-color-scheme: dark) { svg.heddle-plot { color: #d0d7de; } }
`;

/** The SVG of a plot, alone in a file. The same data give the same text. Throws for a plot that nobody described. */
export function drawPlot(data: PlotData): string {
  const drawing = DRAWINGS[data.name];
  if (!drawing) throw new Error(`there is no drawing for a plot ${JSON.stringify(data.name)}`);
  const { document } = parseHTML("<!doctype html><body></body>");
  const page = document as unknown as PlotDocument;
  const svg = (drawing.x === null ? steps(data.points, page) : curves(data.points, drawing.x, page)) as SvgElement;
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
  title.textContent = drawing.title;
  svg.insertBefore(title, svg.firstChild);
  const style = svg.querySelector("style");
  if (!style) throw new Error("the plot has no style to replace");
  style.textContent = STYLE;
  return `${svg.outerHTML}\n`;
}

type PlotDocument = NonNullable<Plot.PlotOptions["document"]>;

/** What is needed of an element, which is not Node's to know. */
interface SvgElement {
  readonly firstChild: unknown;
  readonly outerHTML: string;
  setAttribute(name: string, value: string): void;
  insertBefore(node: unknown, before: unknown): void;
  querySelector(selector: string): { textContent: string } | null;
}

const FRAME = { className: "heddle-plot", width: WIDTH, marginTop: 28 };
const Y = { label: "CPU µs per request", grid: true, zero: true, nice: true, ticks: 6 };

/** A line a series over a logarithmic axis, each with its name at its end, and the 95 % interval of each point. */
function curves(points: readonly PlotPoint[], label: string, document: PlotDocument): unknown {
  const series = [...new Set(points.map((point) => point.series))];
  const xs = [...new Set(points.map(({ x }) => x))].sort((one, other) => one - other);
  // Where values span decades a linear axis would show the largest alone.
  const isWide = spread(points) > 30;
  return Plot.plot({
    ...FRAME,
    document,
    height: HEIGHT,
    marginRight: 150,
    x: { type: "log", label },
    y: isWide ? { type: "log", label: Y.label, grid: true, nice: true, ticks: 5 } : Y,
    color: { domain: series, range: COLOURS },
    marks: [
      // With a text of its own, because a logarithmic axis leaves out the labels of values that are no powers of ten.
      Plot.axisX(xs, { label, labelAnchor: "center", text: (x: number) => x.toLocaleString("en") }),
      Plot.ruleX(points, { x: "x", y1: "low", y2: "high", stroke: "series", strokeOpacity: 0.5, strokeWidth: 3 }),
      Plot.line(points, { x: "x", y: "value", stroke: "series", strokeWidth: 2 }),
      Plot.dot(points, { x: "x", y: "value", fill: "series", r: 3.5 }),
      Plot.text(apart(points), { x: "x", y: "at", text: "series", fill: "series", textAnchor: "start", dx: 8 }),
    ],
  });
}

function spread(points: readonly PlotPoint[]): number {
  const values = points.map(({ value }) => value);
  return Math.max(...values) / Math.min(...values);
}

/** A bar a step, with its value. */
function steps(points: readonly PlotPoint[], document: PlotDocument): unknown {
  return Plot.plot({
    ...FRAME,
    document,
    height: 60 + 24 * points.length,
    marginLeft: 260,
    marginRight: 50,
    x: Y,
    y: {
      label: null,
      domain: points.map(({ series }) => series),
      tickFormat: (name: string) => (name === points[0]?.series ? name : `+ ${name}`),
    },
    marks: [
      Plot.barX(points, { x: "value", y: "series", fill: COLOURS[0] ?? "", fillOpacity: 0.8, insetTop: 2, insetBottom: 2 }),
      Plot.ruleY(points, { x1: "low", x2: "high", y: "series", stroke: "currentColor", strokeWidth: 1.5 }),
      Plot.text(points, { x: "high", y: "series", text: ({ value }: PlotPoint) => value.toFixed(2), textAnchor: "start", dx: 6 }),
      Plot.ruleX([0]),
    ],
  });
}

/** The last point of each series, where its name goes: moved apart where names would cover each other. */
function apart(points: readonly PlotPoint[]): readonly (PlotPoint & { readonly at: number })[] {
  const last = [...Map.groupBy(points, ({ series }) => series).values()].flatMap((all) => all.at(-1) ?? []);
  const top = Math.max(...points.map(({ value }) => value));
  const isWide = spread(points) > 30;
  let below = Number.NEGATIVE_INFINITY;
  return last
    .sort((one, other) => one.value - other.value)
    .map((point) => {
      const at = isWide ? Math.max(point.value, below * 1.35) : Math.max(point.value, below + top * 0.055);
      below = at;
      return { ...point, at };
    });
}
