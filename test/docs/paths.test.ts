import { expect, test } from "vitest";
import { normalisePath } from "../../packages/core/src/authorization/terms/normalise-path.ts";
import type { PathNormalisation } from "../../packages/core/src/model/authorization.ts";
import { readPage } from "./page.ts";

// Of a record, so that the compiler misses a setting that is new.
const EVERY: Record<PathNormalisation, true> = { none: true, base: true, "merge-slashes": true, "decode-and-merge-slashes": true };
const PATH_NORMALISATIONS = Object.keys(EVERY) as readonly PathNormalisation[];

const page = readPage("docs/authorization.md");
const table = page.slice(page.indexOf("## Paths"), page.indexOf("## What differs"));
const example = /\| value \| does \| `([^`]+)` becomes \|/.exec(table)?.[1] ?? "";
const rows = [...table.matchAll(/^\| `([\w-]+)`[^|]*\|[^|]*\| (?:`([^`]+)`|as it is) \|$/gm)].map(([, setting = "", path]) => [
  setting,
  path,
]);

test("the table of path normalisation has every setting, and what each makes of its example", () => {
  expect(rows.map(([setting]) => setting)).toEqual([...PATH_NORMALISATIONS]);
  for (const [setting, path] of rows) {
    const normal = normalisePath(example, PATH_NORMALISATIONS.find((each) => each === setting) ?? "none");
    expect([setting, normal.kind === "refused" ? normal.why : normal.path]).toEqual([setting, path ?? example]);
  }
});

test.each([
  ["a path that begins with no slash", "api", true],
  ["but `*`", "*", false],
  ["one with a `#`", "/a#b", true],
  ["a broken escape", "/%zz", false],
  ["`%00`", "/%00", false],
  ["control characters", "/\u0001", false],
  ["blanks", "/a b", false],
] as const)("what the page says is refused: %s", (_words, path, always) => {
  for (const setting of PATH_NORMALISATIONS) {
    const isRefused = normalisePath(path, setting).kind === "refused";
    expect([setting, isRefused]).toEqual([setting, path !== "*" && (always || setting !== "none")]);
  }
});
