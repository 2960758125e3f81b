import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { PLOTS } from "./docs.ts";
import { plotDataOf, plotDataText, readPlotData } from "./plot-data.ts";
import { DRAWINGS, drawPlot } from "./plots.ts";
import type { ScaleRow } from "./rows.ts";
import { EXPERIMENTS } from "./suites/index.ts";

const committed = (file: string): string => readFileSync(new URL(file, PLOTS), "utf8");

function points(name: string, ...values: readonly number[]) {
  return { name, points: values.map((value, index) => ({ series: "mesh", x: 10 ** index, value, low: value * 0.9, high: value * 1.1 })) };
}

/** What a drawing says as text. */
function texts(svg: string): readonly string[] {
  return Array.from(svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g), ([, text]) => text ?? "");
}

test.each(Object.keys(DRAWINGS))("the plot %s is what its data beside it give", (name) => {
  const data = committed(`${name}.json`);
  expect(plotDataText(readPlotData(data))).toBe(data);
  expect(drawPlot(readPlotData(data))).toBe(committed(`${name}.svg`));
});

test("there is no plot beside those that are drawn, and each is shown in the page", () => {
  const expected = Object.keys(DRAWINGS).flatMap((name) => [`${name}.json`, `${name}.svg`]);
  expect(readdirSync(PLOTS).sort()).toEqual(expected.sort());
  const page = committed("../performance.md");
  for (const name of Object.keys(DRAWINGS)) expect(page).toContain(`](plots/${name}.svg)`);
});

test("every plot that is measured is described, every described one measured", () => {
  const measured = EXPERIMENTS.flatMap(({ point }) => (point === null ? [] : [point.plot]));
  expect([...new Set(measured)].sort()).toEqual(Object.keys(DRAWINGS).sort());
});

test("the same data give the same drawing, others another", () => {
  expect(drawPlot(points("services", 2, 3))).toBe(drawPlot(points("services", 2, 3)));
  expect(drawPlot(points("services", 2, 3))).not.toBe(drawPlot(points("services", 2, 4)));
});

test("a drawing names its axes with their unit, and each series", () => {
  const said = texts(drawPlot(points("services", 2, 3)));
  expect(said.some((text) => text.includes("CPU µs per request"))).toBe(true);
  expect(said.some((text) => text.includes("services in the mesh"))).toBe(true);
  expect(said).toContain("mesh");
});

test("every size that was measured stands at its axis", () => {
  const sizes = [3, 10, 64, 1_024];
  const data = { name: "endpoints", points: sizes.map((x) => ({ series: "mesh", x, value: 2, low: 1, high: 3 })) };
  expect(texts(drawPlot(data))).toEqual(expect.arrayContaining(["3", "10", "64", "1,024"]));
});

test.each(["routes", "concurrency-sockets"])("names beside the lines of %s do not touch, on either kind of axis", (name) => {
  for (const last of [1, 100]) {
    const data = ["one", "two", "three"].flatMap((series, index) =>
      [1, 10].map((x) => ({ series, x, value: x === 1 ? 1 : last + index * 0.001, low: 0.9, high: last * 3 })),
    );
    const svg = drawPlot({ name, points: data });
    const ys = Array.from(svg.matchAll(/<text[^>]*transform="translate\([\d.]+,([\d.]+)\)"[^>]*>(?:one|two|three)</g), ([, y]) =>
      Number(y),
    );
    expect(ys).toHaveLength(3);
    const [lowest = 0, middle = 0, highest = 0] = ys.sort((one, other) => one - other);
    expect(Math.min(middle - lowest, highest - middle)).toBeGreaterThanOrEqual(13);
  }
});

test("values that span decades get a logarithmic axis, others one that begins at 0", () => {
  expect(texts(drawPlot(points("routes", 2, 3, 2.5)))).toContain("0.0");
  expect(texts(drawPlot(points("routes", 2, 30, 300)))).not.toContain("0.0");
});

test("a drawing says what it is, on paper of its own under any theme, and reads nothing from elsewhere", () => {
  const svg = drawPlot(points("services", 2, 3));
  expect(texts(svg)).toContain("Growth with the number of services");
  expect(svg).toMatch(
    /^<svg[^>]* viewBox="0 0 720 360"[^>]*><title>[^<]*<\/title><rect fill="#ffffff" rx="6" height="360" width="720" \/>/,
  );
  expect(svg).not.toContain("prefers-color-scheme");
  expect(svg.replace("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|<script|<image/);
});

test("steps are bars in their order, with their values", () => {
  const data = {
    name: "policies",
    points: ["nothing", "retry"].map((series, x) => ({ series, x, value: x + 1, low: x + 0.9, high: x + 1.1 })),
  };
  const said = texts(drawPlot(data));
  for (const text of ["nothing", "+ retry", "1.00", "2.00"]) expect(said).toContain(text);
});

test("a plot that nobody described is a mistake", () => {
  expect(() => drawPlot(points("weather", 1))).toThrow(/no drawing for a plot "weather"/);
});

test("rows with a point become the points of its plot, others none", () => {
  const row = (change: Partial<ScaleRow>): ScaleRow => ({
    suite: "growth",
    variant: "",
    value: 2,
    unit: "us CPU",
    low: 1,
    high: 3,
    verdict: "compared",
    goal: null,
    limit: null,
    rounds: 1,
    point: null,
    ...change,
  });
  const at = (plot: string, x: number) => row({ point: { plot, series: "mesh", x } });
  expect(plotDataOf([at("services", 10), row({}), at("routes", 1), at("services", 100)])).toEqual([
    { name: "services", points: [10, 100].map((x) => ({ series: "mesh", x, value: 2, low: 1, high: 3 })) },
    { name: "routes", points: [{ series: "mesh", x: 1, value: 2, low: 1, high: 3 }] },
  ]);
});
