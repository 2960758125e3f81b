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
/** Each 4.5 to 1 on white as text, and told apart by the colour-blind (of Tol's vibrant, muted and bright schemes). */
const COLOURS = ["#0077bb", "#cc3311", "#117733", "#aa3377"];
const PAPER = "#ffffff";
/** A drawing takes no colour from the page around it, whose theme it cannot know: it brings its own paper. */
const STYLE = `
  svg.heddle-plot { color: #24292f; font: 12px system-ui, sans-serif; }
`;

/** The SVG of a plot, alone in a file. The same data give the same text. Throws for a plot that nobody described. */
export function drawPlot(data: PlotData): string {
  const drawing = DRAWINGS[data.name];
  if (!drawing) throw new Error(`there is no drawing for a plot ${JSON.stringify(data.name)}`);
  const { document } = parseHTML("<!doctype html><body></body>");
  const page = document as unknown as PlotDocument;
  const svg = (
    drawing.x === null ? steps(data.points, drawing.title, page) : curves(data.points, drawing.title, drawing.x, page)
  ) as SvgElement;
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
  title.textContent = drawing.title;
  svg.insertBefore(paper(document, svg), svg.firstChild);
  svg.insertBefore(title, svg.firstChild);
  const style = svg.querySelector("style");
  if (!style) throw new Error("the plot has no style to replace");
  style.textContent = STYLE;
  return `${svg.outerHTML}\n`;
}

/** What the drawing stands on. */
function paper(document: SvgDocument, svg: SvgElement): unknown {
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const name of ["width", "height"]) rect.setAttribute(name, svg.getAttribute(name) ?? "");
  rect.setAttribute("rx", "6");
  rect.setAttribute("fill", PAPER);
  return rect;
}

interface SvgDocument {
  createElementNS(namespace: string, name: string): SvgElement;
}

type PlotDocument = NonNullable<Plot.PlotOptions["document"]>;

/** What is needed of an element, which is not Node's to know. */
interface SvgElement {
  readonly firstChild: unknown;
  readonly outerHTML: string;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  insertBefore(node: unknown, before: unknown): void;
  querySelector(selector: string): { textContent: string } | null;
}

const MARGIN_LEFT = 48;
const FRAME = { className: "heddle-plot", width: WIDTH, marginTop: 64, marginBottom: 44 };
/** The height of a name beside the lines, as a share of that of the plot. */
const LINE_SHARE = 0.065;

/** The title, where it is seen (that of the SVG itself is for readers who do not see it), and what the axis beneath it measures. */
function heading(title: string, unit: string, marginLeft: number): readonly Plot.Markish[] {
  const place = { frameAnchor: "top-left", textAnchor: "start", dx: 16 - marginLeft, fill: "currentColor" } as const;
  return [
    Plot.text([title], { ...place, dy: -50, fontSize: 15, fontWeight: "bold" }),
    Plot.text([unit], { ...place, dy: -22, fillOpacity: 0.75 }),
  ];
}

const UNIT = "CPU µs per request";

/** A line a series over a logarithmic axis, each with its name at its end, and the 95 % interval of each point. */
function curves(points: readonly PlotPoint[], title: string, label: string, document: PlotDocument): unknown {
  const series = [...new Set(points.map((point) => point.series))];
  const xs = [...new Set(points.map(({ x }) => x))].sort((one, other) => one - other);
  const axis = axisOf(points);
  return Plot.plot({
    ...FRAME,
    document,
    height: HEIGHT,
    marginLeft: MARGIN_LEFT,
    marginRight: 150,
    x: { type: "log", label },
    y: { type: axis.isLog ? "log" : "linear", domain: [axis.bottom, axis.top], label: null, grid: true, ticks: axis.isLog ? 5 : 6 },
    color: { domain: series, range: COLOURS },
    marks: [
      ...heading(title, `↑ ${UNIT}`, MARGIN_LEFT),
      // With a text of its own, because a logarithmic axis leaves out the labels of values that are no powers of ten.
      Plot.axisX(xs, { label, labelAnchor: "center", text: (x: number) => x.toLocaleString("en") }),
      Plot.ruleX(points, { x: "x", y1: "low", y2: "high", stroke: "series", strokeOpacity: 0.25, strokeWidth: 5 }),
      Plot.line(points, { x: "x", y: "value", stroke: "series", strokeWidth: 2 }),
      Plot.dot(points, { x: "x", y: "value", fill: "series", r: 3.5 }),
      Plot.text(apart(points, axis), { x: "x", y: "at", text: "series", fill: "series", textAnchor: "start", dx: 8 }),
    ],
  });
}

interface Axis {
  readonly isLog: boolean;
  readonly bottom: number;
  readonly top: number;
}

/** Reaches over all intervals. Where values span decades a linear axis would show the largest alone. */
function axisOf(points: readonly PlotPoint[]): Axis {
  const values = points.map(({ value }) => value);
  const top = Math.max(...points.map(({ high }) => high));
  if (Math.max(...values) / Math.min(...values) <= 30) return { isLog: false, bottom: 0, top };
  return { isLog: true, bottom: Math.min(...points.map(({ low, value }) => (low > 0 ? low : value))), top };
}

/** A bar a step, with its value. */
function steps(points: readonly PlotPoint[], title: string, document: PlotDocument): unknown {
  return Plot.plot({
    ...FRAME,
    document,
    height: 100 + 24 * points.length,
    marginLeft: 260,
    marginRight: 60,
    x: { label: UNIT, labelAnchor: "center", grid: true, zero: true, nice: true, ticks: 6 },
    y: {
      label: null,
      domain: points.map(({ series }) => series),
      tickFormat: (name: string) => (name === points[0]?.series ? name : `+ ${name}`),
    },
    marks: [
      ...heading(title, "", 260),
      Plot.barX(points, { x: "value", y: "series", fill: COLOURS[0] ?? "", fillOpacity: 0.7, insetTop: 2, insetBottom: 2 }),
      Plot.ruleY(points, { x1: "low", x2: "high", y: "series", stroke: "currentColor", strokeOpacity: 0.45, strokeWidth: 1.5 }),
      Plot.text(points, { x: "high", y: "series", text: ({ value }: PlotPoint) => value.toFixed(2), textAnchor: "start", dx: 6 }),
      Plot.ruleX([0]),
    ],
  });
}

/** The last point of each series, where its name goes: moved apart where names would cover each other. */
function apart(points: readonly PlotPoint[], { isLog, bottom, top }: Axis): readonly (PlotPoint & { readonly at: number })[] {
  const last = [...Map.groupBy(points, ({ series }) => series).values()].flatMap((all) => all.at(-1) ?? []);
  const above = (at: number) => (isLog ? at * (top / bottom) ** LINE_SHARE : at + top * LINE_SHARE);
  let below = Number.NEGATIVE_INFINITY;
  return last
    .sort((one, other) => one.value - other.value)
    .map((point) => {
      const at = Math.max(point.value, above(below));
      below = at;
      return { ...point, at };
    });
}
