import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SABOTAGES } from "./sabotages.ts";

test("each wrong matcher can be put in: what it replaces stands once in the sources", () => {
  const places = SABOTAGES.map(({ name, file, right }) => {
    const text = readFileSync(new URL(`../../../packages/core/src/${file}`, import.meta.url), "utf8");
    return `${name}: ${text.split(right).length - 1}`;
  });
  expect(places).toEqual(SABOTAGES.map(({ name }) => `${name}: 1`));
  expect(new Set(SABOTAGES.map(({ name }) => name)).size).toBe(10);
});
