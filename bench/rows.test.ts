import { expect, test } from "vitest";
import type { MeasuredSlot } from "./contestant.ts";
import { LIMITS } from "./limits.ts";
import type { Measurement, Round } from "./measure.ts";
import { rowsOf } from "./rows.ts";
import { COMPARISONS, type Comparison } from "./suites.ts";
import { markdownTable, textTable } from "./table.ts";

function slot(microsPerRequest: number, sidecarMicros = 0): MeasuredSlot {
  const requests = 1_000;
  return {
    requests,
    cpuMicros: microsPerRequest * requests,
    sidecarCpuMicros: sidecarMicros * requests,
    serverCpuMicros: 0,
    elapsedMs: 100,
    p50Ms: 1,
    p99Ms: 4,
  };
}

const comparison: Comparison = {
  suite: "request",
  concurrency: 32,
  base: "plain",
  variants: [
    { name: "plain", module: "plain" },
    { name: "mesh.request", module: "mesh-request" },
  ],
  share: 1,
  slotMs: 100,
  needsServers: true,
  isExtra: false,
};

function measurement(rounds: readonly (readonly [plain: number, mesh: number])[], change?: Partial<Measurement>): Measurement {
  return {
    comparison,
    rounds: rounds.map(
      ([plain, mesh]): Round =>
        new Map([
          ["plain", slot(plain)],
          ["mesh.request", slot(mesh)],
        ]),
    ),
    checked: new Map(),
    elapsedMs: 1_000,
    ...change,
  };
}

test("the ratio is taken within each round, so that a slow round does not count against one side", () => {
  const [, mesh] = rowsOf(
    measurement([
      [40, 44],
      [400, 440],
      [41, 45.1],
    ]),
  );
  expect(mesh).toMatchObject({ value: 45.1, ratio: 1.1, low: 1.1, high: 1.1, verdict: "missed", limit: 1.05, rounds: 3 });
});

test("the base is compared to nothing", () => {
  const [plain] = rowsOf(measurement([[40, 36]]));
  expect(plain).toMatchObject({ base: "plain", value: 40, ratio: 1, verdict: "base", requestsPerSecond: 10_000, p50Ms: 1, p99Ms: 4 });
});

test("a row whose variant did not do its work is invalid, however fast it was", () => {
  const facts = [{ name: "retry", holds: false, seen: "503" }];
  const checked = new Map([["mesh.request", { facts, connections: 32 }]]);
  const [plain, mesh] = rowsOf(measurement([[40, 30]], { checked }));
  expect(plain?.verdict).toBe("base");
  expect(mesh?.verdict).toBe("invalid");
});

test("without a base the interval bounds the value", () => {
  const [, mesh] = rowsOf(measurement([[40, 30]], { comparison: { ...comparison, base: null } }));
  expect(mesh).toMatchObject({ base: null, ratio: null, value: 30, low: 30, high: 30 });
});

test("what the sidecars cost is in the totals alone, to the base's client", () => {
  const rounds = [
    new Map([
      ["plain", slot(40)],
      ["mesh.request", slot(44, 156)],
    ]),
  ];
  const [plain, mesh] = rowsOf({ ...measurement([]), rounds });
  expect(plain).toMatchObject({ value: 40, totalValue: 40, totalRatio: 1 });
  expect(mesh).toMatchObject({ value: 44, ratio: 1.1, totalValue: 200, totalRatio: 5, totalLow: 5, totalHigh: 5 });
  expect(markdownTable(rowsOf({ ...measurement([]), rounds }))).toContain("| 1.10 to 1.10 | 200.00 (5.00, 5.00 to 5.00) |");
});

test("every limit is of a row that is measured, and judged the way its comparison is", () => {
  for (const { suite, variant, judged } of LIMITS) {
    const measured = COMPARISONS.find((one) => one.suite === suite && one.variants.some(({ name }) => name === variant));
    expect(measured, `${suite}: ${variant}`).toBeDefined();
    expect(judged).toBe(measured?.base === null ? "micros" : measured?.isMutual ? "total" : "ratio");
  }
});

test("variants and bases are told apart by suite and name alone", () => {
  const names = COMPARISONS.flatMap(({ suite, variants }) => variants.map(({ name }) => `${suite}: ${name}`));
  expect(new Set(names).size).toBe(names.length);
  for (const { base, variants } of COMPARISONS) if (base !== null) expect(variants.map(({ name }) => name)).toContain(base);
});

test("tables have a line for each row", () => {
  const rows = rowsOf(measurement([[40, 30]]));
  expect(textTable(rows).split("\n")).toHaveLength(3);
  expect(markdownTable(rows).split("\n")).toHaveLength(4);
  expect(markdownTable(rows)).toContain("| mesh.request | 30.00 | 0.75 | 0.75 to 0.75 |  | 1.05 (0.9) | met |");
});
