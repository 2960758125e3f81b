import { existsSync } from "node:fs";
import { expect, test } from "vitest";
import { SCALE_SUITES } from "../experiment.ts";
import { groupsOf } from "../measure.ts";
import { snapshotOf } from "../probes/generated.ts";
import { EXPERIMENTS } from "./index.ts";
import { POLICIES } from "./policies.ts";

test("rows are told apart by suite and name, and points by plot, series and place", () => {
  const names = EXPERIMENTS.flatMap(({ suite, figures }) => figures.map(({ name }) => `${suite}: ${name}`));
  expect(new Set(names).size).toBe(names.length);
  const points = EXPERIMENTS.flatMap(({ point }) => (point === null ? [] : [JSON.stringify(point)]));
  expect(new Set(points).size).toBe(points.length);
});

test("every suite has experiments, and a quick run some of each", () => {
  for (const suite of SCALE_SUITES) expect(EXPERIMENTS.some((one) => one.suite === suite && !one.isExtra)).toBe(true);
});

test("every probe exists, and those measured in turn share one plan", () => {
  for (const { probe } of EXPERIMENTS) expect(existsSync(new URL(`../probes/${probe}.ts`, import.meta.url)), probe).toBe(true);
  for (const group of groupsOf(EXPERIMENTS)) expect(new Set(group.map(({ plan }) => JSON.stringify(plan))).size).toBe(1);
});

test("every limit that the design sets is judged", () => {
  const judged = EXPERIMENTS.flatMap(({ suite, figures }) =>
    figures.flatMap(({ limit, unit }) => (limit === null ? [] : [`${suite} ${limit} ${unit}`])),
  );
  expect([...new Set(judged)]).toEqual([
    "pick 0.3 us CPU",
    "match 2 us CPU",
    "update 10 ms",
    "update 5 ms",
    "memory 500 bytes",
    "import 30 ms CPU",
    "import 5 MB",
    "security 2 us CPU",
  ]);
});

test("each step of the policies keeps those before it, and the document of each is valid", () => {
  let before: object = {};
  for (const { parameters } of POLICIES) {
    const { service } = parameters as { readonly service: object };
    expect(Object.keys(service)).toEqual(expect.arrayContaining(Object.keys(before)));
    snapshotOf({
      apiVersion: "heddle/v1",
      services: { shop: { endpoints: [{ address: "a:1" }], ...service }, "service-0": { endpoints: [{ address: "b:1" }] } },
    });
    before = service;
  }
});
