import { expect, test } from "vitest";
import { compare, told } from "./compare.ts";
import { EXCLUSIONS } from "./exclusions.ts";

const SEED = Number(process.env.HEDDLE_DIFF_SEED ?? 1);
const POLICIES = 324;
const REQUESTS = 100;
const LIMIT_MS = 300_000;

/** What is excluded is compared less. */
const MOST_EXCLUDED = 0.3;

test(`decides, verifies tokens and normalises paths as Envoy does, over every kind of matcher and outcome (HEDDLE_DIFF_SEED=${SEED})`, {
  timeout: LIMIT_MS,
}, async () => {
  const { cases, excluded, differences, exclusions, coverage } = await compare({ seed: SEED, policies: POLICIES, requests: REQUESTS });
  const hits = EXCLUSIONS.map(({ name }) => `${name} ${exclusions[name].applied}, differing by it ${exclusions[name].differed}`);
  const lines = [`${cases} cases, ${excluded} with exclusions: ${hits.join("; ")}`, ...coverage.lines()];
  console.log([`HEDDLE_DIFF_SEED=${SEED}`, ...lines].join("\n"));
  expect(differences.map(told).join("\n\n"), `HEDDLE_DIFF_SEED=${SEED} repeats it`).toBe("");
  expect(cases).toBe(POLICIES * REQUESTS);
  expect(coverage.problems(), "drawn too rarely or too often").toEqual([]);
  expect(
    EXCLUSIONS.filter(({ name }) => exclusions[name].differed === 0).map(({ name }) => name),
    "exclusions that no case needs",
  ).toEqual([]);
  expect(excluded / cases).toBeLessThan(MOST_EXCLUDED);
});
