import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { dependencyTables, reasonProblems } from "../../scripts/supply-chain/dependency-tables.ts";
import { readLock } from "../../scripts/supply-chain/lock-file.ts";
import { REASONS } from "../../scripts/supply-chain/reasons.ts";
import { root } from "./installation.ts";

const page = join(root, "docs/dependencies.md");
const MARKED = /(<!-- dependencies:begin -->\n)[\s\S]*(\n<!-- dependencies:end -->)/;
/** `UPDATE_DOCS=1 npx vitest run test/packaging/dependencies.test.ts` writes the tables into the page. */
const isUpdating = process.env.UPDATE_DOCS === "1";

test("docs/dependencies.md says what the manifests, the lock file and the sources say", () => {
  const text = readFileSync(page, "utf8");
  expect(text).toMatch(MARKED);
  const tables = dependencyTables(root, readLock(root), REASONS);
  const expected = text.replace(MARKED, (_all, begin: string, end: string) => `${begin}${tables}${end}`);
  if (isUpdating) writeFileSync(page, expected);
  else expect(text, "UPDATE_DOCS=1 npx vitest run test/packaging/dependencies.test.ts rewrites the page").toBe(expected);
});

test("every dependency of a published package has a reason, and every reason a dependency", () => {
  expect(reasonProblems(readLock(root), REASONS)).toEqual([]);
});

test("a dependency without a reason, and a reason without a dependency, are named", () => {
  const lock = readLock(root);
  const { yaml: _, ...fewer } = REASONS;
  expect(reasonProblems(lock, fewer)).toEqual(["yaml has no reason in scripts/supply-chain/reasons.ts"]);
  expect(reasonProblems(lock, { ...REASONS, lodash: "Everybody has it." })).toEqual([
    "scripts/supply-chain/reasons.ts has a reason for lodash, which no package names",
  ]);
});
