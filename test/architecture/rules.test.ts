import { expect, test } from "vitest";
import { checkCycles } from "../../scripts/architecture/cycles.ts";
import { checkErrorDocs } from "../../scripts/architecture/error-docs.ts";
import { checkImportTable } from "../../scripts/architecture/import-table.ts";
import { checkManifest } from "../../scripts/architecture/manifests.ts";
import { checkNames } from "../../scripts/architecture/names.ts";
import { checkSize } from "../../scripts/architecture/size.ts";
import { parseSource, type SourceFile, type Violation } from "../../scripts/architecture/source-file.ts";
import { readImportTables } from "../../scripts/architecture/tables.ts";
import { checkTimeAndChance } from "../../scripts/architecture/time-and-chance.ts";

const TABLES = readImportTables(`# Architecture

## Imports

| area | files | may import |
|---|---|---|
| kernel | \`packages/core/src/*.ts\` | nothing |
| policy | \`packages/core/src/policy/\` | kernel |
| routing | \`packages/core/src/routing/\` | kernel |
| assembly | \`packages/core/src/mesh.ts\` | kernel, policy, routing |
| core | \`packages/core/src/index.ts\` | kernel, assembly |
| http | \`packages/http/src/\` | core |

| third party | files | loaded |
|---|---|---|
| \`undici\` | \`packages/http/src/\` | with the file |
| \`yaml\` | \`packages/core/src/policy/\` | on first need |
| \`express\` | \`packages/http/src/\` | types only |

## Next
`);

function sources(files: Readonly<Record<string, string>>): readonly SourceFile[] {
  return Object.entries(files).map(([path, text]) => parseSource(path, text));
}

function importing(path: string, code: string): readonly Violation[] {
  return checkImportTable(sources({ [path]: code }), TABLES);
}

test("an area imports itself and what its row lists", () => {
  expect(importing("packages/core/src/policy/retry.ts", 'import { a } from "./backoff.ts"; import { b } from "../clock.ts";')).toEqual([]);
  expect(importing("packages/core/src/mesh.ts", 'import { a } from "./policy/retry.ts"; export * from "./routing/router.ts";')).toEqual([]);
  expect(importing("packages/http/src/index.ts", 'import { a } from "@heddle/core"; import fs from "node:fs";')).toEqual([]);
});

test.each([
  ["a feature of another feature", "packages/core/src/policy/retry.ts", 'import { a } from "../routing/router.ts";'],
  ["types too", "packages/core/src/policy/retry.ts", 'import type { A } from "../routing/router.ts";'],
  ["inline types too", "packages/core/src/policy/retry.ts", 'export type A = import("../routing/router.ts").A;'],
  ["re-exports too", "packages/core/src/clock.ts", 'export { a } from "./policy/retry.ts";'],
  ["late imports too", "packages/core/src/clock.ts", 'export const a = () => import("./policy/retry.ts");'],
  ["the assembly", "packages/core/src/policy/retry.ts", 'import { a } from "../mesh.ts";'],
  ["a package above", "packages/core/src/clock.ts", 'import { a } from "@heddle/http";'],
  ["its own package by name", "packages/core/src/clock.ts", 'import { a } from "@heddle/core";'],
  ["another package's insides", "packages/http/src/index.ts", 'import { a } from "../../core/src/index.ts";'],
  ["a builtin without its scheme", "packages/http/src/index.ts", 'import fs from "fs";'],
  ["a third party in no row", "packages/http/src/index.ts", 'import a from "left-pad";'],
  ["a third party elsewhere", "packages/core/src/clock.ts", 'import { a } from "undici";'],
  ["a third party's subpath elsewhere", "packages/core/src/clock.ts", 'import { a } from "undici/lib/x.js";'],
  ["with the file what is for first need", "packages/core/src/policy/retry.ts", 'import { a } from "yaml";'],
  ["values where types are allowed", "packages/http/src/index.ts", 'import { a } from "express";'],
])("may not be imported: %s", (_what, path, code) => {
  expect(importing(path, code)).toHaveLength(1);
});

test("a package for first need is required late, in its files only", () => {
  const code =
    'import { createRequire } from "node:module"; const load = createRequire(import.meta.url); export const parse = () => load("yaml");';
  expect(importing("packages/core/src/policy/retry.ts", code)).toEqual([]);
  expect(importing("packages/core/src/routing/router.ts", code)).toHaveLength(1);
  expect(importing("packages/core/src/policy/retry.ts", 'import type { Document } from "yaml";')).toEqual([]);
});

test("a test may import anything", () => {
  expect(importing("packages/core/src/policy/retry.test.ts", 'import { a } from "@heddle/testing"; import { b } from "vitest";')).toEqual(
    [],
  );
});

test("a violation names file, line and what is allowed", () => {
  const [violation] = importing("packages/core/src/policy/retry.ts", '\nimport { a } from "../routing/router.ts";');
  expect(violation).toEqual({
    where: "packages/core/src/policy/retry.ts:2",
    message: 'policy may not import routing ("../routing/router.ts"); it may import: kernel',
  });
});

test("a file in no area is a violation", () => {
  expect(importing("packages/grpc/src/index.ts", "export {};")).toHaveLength(1);
});

test("tables that name an unknown area or lack their section are refused", () => {
  expect(() => readImportTables("# Architecture")).toThrow("## Imports");
  expect(() => readImportTables("## Imports\n| area | files | may import |\n|---|---|---|\n| a | `a/` | b |\n")).toThrow(
    '"b", which is no area',
  );
});

test("files that load each other are a cycle; types are free", () => {
  const a = 'import { b } from "./b.ts";';
  expect(checkCycles(sources({ "src/a.ts": a, "src/b.ts": 'export * from "./a.ts";' }))).toEqual([
    { where: "src/a.ts", message: "imports itself: src/a.ts -> src/b.ts -> src/a.ts" },
  ]);
  expect(checkCycles(sources({ "src/a.ts": a, "src/b.ts": 'import type { A } from "./a.ts";' }))).toEqual([]);
});

test("an import whose names are all inline types still loads the file", () => {
  const files = sources({ "src/a.ts": 'import { b } from "./b.ts";', "src/b.ts": 'import { type A } from "./a.ts";' });
  expect(checkCycles(files)).toHaveLength(1);
});

test("a cycle is found behind a diamond and reported once", () => {
  const files = sources({
    "src/a.ts": 'import "./b.ts"; import "./c.ts";',
    "src/b.ts": 'import "./d.ts";',
    "src/c.ts": 'import "./d.ts";',
    "src/d.ts": 'import "./c.ts";',
  });
  expect(checkCycles(files)).toHaveLength(1);
});

test.each([
  "Date.now()",
  "new Date()",
  "new Date",
  "Date()",
  "performance.now()",
  "globalThis.performance.now()",
  "Math.random()",
  "const r = Math.random",
  "setTimeout(f, 1)",
  "globalThis.setTimeout(f, 1)",
  "const timers = { setTimeout }",
  "const timers = { set: setInterval }",
  "setImmediate(f)",
  "process.hrtime.bigint()",
  "AbortSignal.timeout(5)",
  'import { scheduler } from "node:timers/promises"',
])("time and chance are not taken from globals: %s", (code) => {
  expect(checkTimeAndChance(sources({ "packages/core/src/a.ts": code }), [])).toHaveLength(1);
});

test.each([
  "new Date(clock.wallTime())",
  "Date.UTC(2026, 0, 1)",
  "socket.setTimeout(5)",
  "const o = { setTimeout: 5 }",
  "class A { setTimeout() {} }",
  "interface A { setTimeout(): void }",
  "// Date.now()\nconst s = 'setTimeout(f)'",
  "clock.now()",
  "clearTimeout(t)",
])("what only looks like a global clock is free: %s", (code) => {
  expect(checkTimeAndChance(sources({ "packages/core/src/a.ts": code }), [])).toEqual([]);
});

test("an exception covers the uses it names, and is to be removed when they are gone", () => {
  const exceptions = [{ path: "packages/core/src/clock.ts", uses: ["Date.now"], because: "it is the clock" }];
  const check = (code: string) => checkTimeAndChance(sources({ "packages/core/src/clock.ts": code }), exceptions);
  expect(check("Date.now()")).toEqual([]);
  expect(check("Date.now(); Math.random()")).toHaveLength(1);
  expect(check("export {};")).toHaveLength(1);
});

test("a file has 400 lines and a function 60, at most", () => {
  const lines = (count: number) => "f();\n".repeat(count);
  expect(checkSize(sources({ "src/a.ts": lines(400) }))).toEqual([]);
  expect(checkSize(sources({ "src/a.ts": lines(401) }))).toHaveLength(1);
  expect(checkSize(sources({ "src/a.test.ts": lines(401) }))).toEqual([]);
  expect(checkSize(sources({ "src/a.ts": `function a() {\n${lines(58)}}` }))).toEqual([]);
  expect(checkSize(sources({ "src/a.ts": `class A {\n  go() {\n${lines(59)}}\n}` }))).toEqual([
    { where: "src/a.ts:2", message: "go() has 61 lines, 60 are allowed" },
  ]);
  expect(checkSize(sources({ "src/a.ts": `const a = () => {\n${lines(59)}}` }))).toHaveLength(1);
});

test("files and folders are named for what they do, in kebab-case", () => {
  const bad = ["src/utils/retry.ts", "src/test-helpers.ts", "src/connectionManager.ts", "src/base.test.ts", "misc/a.md"];
  expect(checkNames(bad).map((violation) => violation.where)).toEqual(bad);
  expect(checkNames(["src/base-ejection.ts", "src/p2c.ts", "src/index.ts", "vitest.interop.config.ts", "README.md"])).toEqual([]);
});

test("every error code has a heading, and every heading a code", () => {
  const errors = parseSource("errors.ts", 'export type MeshErrorCode = "closed" | "no_route";');
  expect(checkErrorDocs(errors, "# Errors\n## `closed`\n\n## `no_route`\n## How to read this\n")).toEqual([]);
  expect(checkErrorDocs(errors, "## `closed`\n`no_route`\n")).toHaveLength(1);
  expect(checkErrorDocs(errors, "## `closed`\n## `no_route`\n## `no_rute`\n")).toHaveLength(1);
  expect(checkErrorDocs(errors, undefined)).toHaveLength(1);
});

test("what a package imports stands in its package.json", () => {
  const files = sources({
    "packages/http/src/a.ts": 'import "undici"; import "node:fs"; import "./b.ts"; import type { A } from "@heddle/core";',
  });
  expect(checkManifest("packages/http", { name: "@heddle/http", dependencies: { undici: "1" } }, files)).toHaveLength(1);
  expect(
    checkManifest(
      "packages/http",
      { name: "@heddle/http", dependencies: { undici: "1" }, peerDependencies: { "@heddle/core": "1" } },
      files,
    ),
  ).toEqual([]);
});
