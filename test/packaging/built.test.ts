import { execFileSync } from "node:child_process";
import * as core from "@heddle/core";
import * as http from "@heddle/http";
import { expect, test } from "vitest";
import { root } from "./installation.ts";

/** What a module of the built packages prints, run by Node with these options. */
function printed(script: string, ...options: readonly string[]): string {
  return execFileSync(process.execPath, [...options, "--input-type=module", "--eval", script], { cwd: root, encoding: "utf8" }).trim();
}

test("what undici replaces when it is loaded is still there after the built http has loaded it", () => {
  const outcome = printed(`
    const place = Symbol.for("undici.globalDispatcher.1");
    const mine = { dispatch() {} };
    globalThis[place] = mine;
    await import("@heddle/http");
    console.log(globalThis[place] === mine);
  `);
  expect(outcome).toBe("true");
});

test.each([
  ["@heddle/core", core],
  ["@heddle/http", http],
])("functions and classes of the built %s have the names that they have in the sources", (specifier, sources) => {
  const names = printed(`
    const functions = Object.entries(await import("${specifier}")).filter(([, value]) => typeof value === "function");
    console.log(JSON.stringify(Object.fromEntries(functions.map(([key, value]) => [key, value.name]))));
  `);
  const functions = Object.entries(sources).filter(([, value]) => typeof value === "function");
  expect(JSON.parse(names)).toEqual(Object.fromEntries(functions.map(([key, value]) => [key, (value as () => void).name])));
});

/** Where the stack of what a wrong option throws comes through, in the built core. */
function stackOfMistake(...options: readonly string[]): string {
  return printed(
    `import { createMesh } from "@heddle/core";
     try { createMesh({ service: 5 }); } catch (error) { console.log(error.stack); }`,
    ...options,
  );
}

test("a stack trace leads to the sources where Node maps it, and to the built module where it does not", () => {
  expect(stackOfMistake("--enable-source-maps")).toMatch(/at createMesh .*packages\/core\/src\/mesh\.ts:\d+/);
  expect(stackOfMistake()).toMatch(/at createMesh .*packages\/core\/dist\/index\.js:\d+/);
});
