import { expect, test } from "vitest";
import { compared, type Experiment, type Figure, limited } from "./experiment.ts";
import { groupsOf, quickPlan } from "./measure.ts";
import type { Readings } from "./probe.ts";
import { rowsOf } from "./rows.ts";
import { figure, markdownTable, textTable } from "./table.ts";

function experiment(figures: readonly Figure[], change?: Partial<Experiment>): Experiment {
  return {
    suite: "pick",
    group: "one",
    probe: "pick",
    parameters: {},
    figures,
    point: null,
    plan: { processes: 2, rounds: 40, roundMs: 20, warmUpMs: 500 },
    needsServers: false,
    isExtra: false,
    ...change,
  };
}

function rounds(...values: readonly number[]): readonly Readings[] {
  return values.map((value) => ({ pick: value, other: value * 10 }));
}

const PICK = limited("three endpoints", "pick", "us CPU", 0.2, 0.3);

test("a row has the median over the rounds, its interval, and the verdict on its limit", () => {
  const measured = { experiment: experiment([PICK]), rounds: rounds(0.1, 0.5, 0.2) };
  expect(rowsOf(measured)).toMatchObject([{ value: 0.2, low: 0.1, high: 0.5, verdict: "met", goal: 0.2, limit: 0.3, rounds: 3 }]);
  expect(rowsOf({ ...measured, rounds: rounds(0.4, 0.4, 0.5) })).toMatchObject([{ verdict: "missed" }]);
  expect(rowsOf({ ...measured, rounds: rounds(0.2, 0.4, 0.5) })).toMatchObject([{ verdict: "undecided" }]);
});

test("every figure of an experiment is a row, read by its own name; without a limit there is no verdict", () => {
  const rows = rowsOf({ experiment: experiment([PICK, compared("the other", "other", "ms")]), rounds: rounds(0.1) });
  expect(rows.map(({ value, unit, verdict }) => [value, unit, verdict])).toEqual([
    [0.1, "us CPU", "met"],
    [1, "ms", "compared"],
  ]);
});

test("a reading that the probe does not give is a mistake", () => {
  expect(() => rowsOf({ experiment: experiment([compared("no", "missing", "ms")]), rounds: rounds(1) })).toThrow(/no reading missing/);
});

test("experiments of one group and suite are measured together, in the order they were given", () => {
  const first = experiment([PICK], { group: "a" });
  const second = experiment([PICK], { group: "b" });
  const third = experiment([PICK], { group: "a" });
  const other = experiment([PICK], { group: "a", suite: "match" });
  expect(groupsOf([first, second, third, other])).toEqual([[first, third], [second], [other]]);
});

test("a quick run is never longer than the plan", () => {
  const plan = { processes: 3, rounds: 1, roundMs: 100, warmUpMs: 0 };
  expect(quickPlan(plan)).toEqual({ ...plan, processes: 1 });
  expect(quickPlan({ ...plan, rounds: 40, warmUpMs: 600 })).toMatchObject({ processes: 1, rounds: 3, warmUpMs: 50 });
});

test("figures have the digits that say something", () => {
  expect([0.1234, 1.234, 12.34, 123.4, -0.05, 0].map(figure)).toEqual(["0.123", "1.23", "12.3", "123", "-0.050", "0.000"]);
});

test("tables have a line for each row", () => {
  const rows = rowsOf({ experiment: experiment([PICK]), rounds: rounds(0.1) });
  expect(textTable(rows).split("\n")).toHaveLength(2);
  expect(markdownTable(rows).split("\n")).toHaveLength(3);
  expect(markdownTable(rows)).toContain("| three endpoints | 0.100 | 0.100 to 0.100 | us CPU | 0.3 (0.2) | met |");
});

test("a table without any limit has no columns for limits", () => {
  const rows = rowsOf({ experiment: experiment([compared("retry", "pick", "us CPU")]), rounds: rounds(0.1) });
  expect(markdownTable(rows).split("\n")[0]).toBe("| what | median | 95 % interval | unit |");
});
