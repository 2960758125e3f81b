import { expect, test } from "vitest";
import { asTable, type Results } from "./results.ts";

const RESULTS: Results = {
  ok: false,
  seconds: 21.34,
  requests: 1_000,
  failures: 2,
  endedBecause: "it was asked to (SIGINT)",
  steps: [
    { step: "canary", seen: `${"word ".repeat(40)}end`, requests: 900, failures: 2, verdict: "failed" },
    { step: "crash", seen: "", requests: 0, failures: 0, verdict: "not run" },
  ],
};

test("prints a row a step, what was seen below it, the sum, and why it ended", () => {
  const lines = asTable(RESULTS).split("\n");
  expect(lines.some((line) => /^1 {2}canary +900 +2 {2}failed$/.test(line))).toBe(true);
  expect(lines.some((line) => /^2 {2}crash +0 +0 {2}not run$/.test(line))).toBe(true);
  expect(lines.some((line) => /^ {3}all the while +1000 +2 {2}failed$/.test(line))).toBe(true);
  expect(lines).toContain("ended early: it was asked to (SIGINT)");
  expect(lines).toContain("Not every check held; 21.3 s.");
});

test("wraps what was seen, and loses no word of it", () => {
  const seen = asTable(RESULTS)
    .split("\n")
    .filter((line) => line.startsWith("   word"));
  expect(seen.length).toBeGreaterThan(1);
  expect(Math.max(...seen.map((line) => line.length))).toBeLessThanOrEqual(100);
  expect(seen.join(" ").split(/\s+/).filter(Boolean)).toHaveLength(41);
});
