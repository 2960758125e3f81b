import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Every file that Node loads for `import "<specifier>"` and the lines after it, by import or require, built-in modules left out. */
function loadedBy(specifier: string, use = ""): readonly string[] {
  const script = `
    import { registerHooks } from "node:module";
    const urls = [];
    registerHooks({ load(url, context, next) { urls.push(url); return next(url, context); } });
    await import(${JSON.stringify(specifier)});
    ${use};
    console.log(JSON.stringify(urls));
  `;
  return printedBy(script).filter((url) => url.startsWith("file:"));
}

function printedBy(script: string): readonly string[] {
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: root, encoding: "utf8" });
  return JSON.parse(output) as string[];
}

function thirdParties(urls: readonly string[]): readonly string[] {
  const names = urls.map((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

/** The modules of ours among them. */
function ours(urls: readonly string[]): readonly string[] {
  return urls.map((url) => /\/packages\/(.*)/.exec(url)?.[1]).filter((path) => path !== undefined);
}

test("core and http are a module each, and what undici would hide from http", () => {
  expect(ours(loadedBy("@heddle/core"))).toEqual(["core/dist/index.js"]);
  expect(ours(loadedBy("@heddle/http")).toSorted()).toEqual(["core/dist/index.js", "http/dist/former-global.js", "http/dist/index.js"]);
});

test('`import "@heddle/core"` loads nothing of others but the OpenTelemetry API', () => {
  expect(thirdParties(loadedBy("@heddle/core")).filter((name) => name !== "@opentelemetry/api")).toEqual([]);
});

test('`import "heddle"` adds undici alone', () => {
  expect(thirdParties(loadedBy("heddle")).filter((name) => name !== "@opentelemetry/api" && name !== "undici")).toEqual([]);
});

test('`import "@heddle/spiffe"` loads nothing of others; a certificate loads asn1js, which changes no global', () => {
  const others = (urls: readonly string[]) => thirdParties(urls).filter((name) => name !== "@opentelemetry/api");
  expect(others(loadedBy("@heddle/spiffe"))).toEqual([]);
  const issue = `const { Authority } = await import("@heddle/spiffe"); Authority.create({ trustDomain: "a", nowMs: 0, lifetimeMs: 1 })`;
  expect(others(loadedBy("@heddle/spiffe", issue))).toEqual(["@peculiar/utils", "asn1js"]);
  const names = (script: string) => `
    const before = Reflect.ownKeys(globalThis);
    ${script};
    console.log(JSON.stringify(Reflect.ownKeys(globalThis).filter((name) => !before.includes(name)).map(String)));
  `;
  expect(printedBy(names(issue))).toEqual([]);
  // What does add one: so that the silence above means something.
  expect(printedBy(names("globalThis.another = 1"))).toEqual(["another"]);
});

/** Modules of Node's own that are loaded after `import "<specifier>"`. */
function builtinsLoadedBy(specifier: string): readonly string[] {
  return printedBy(`await import(${JSON.stringify(specifier)}); console.log(JSON.stringify(process.moduleLoadList))`);
}

test('`import "heddle"` does not load Node\'s own copy of undici, which costs more memory than the mesh', () => {
  const copies = (specifier: string) => builtinsLoadedBy(specifier).filter((name) => name.includes("internal/deps/undici"));
  expect(copies("heddle")).toEqual([]);
  // What does load it: so that the silence above means something.
  expect(copies("node:http")).not.toEqual([]);
});

test("the listing sees what is required late, so that its silence means something", () => {
  expect(thirdParties(loadedBy("yaml"))).toEqual(["yaml"]);
  expect(thirdParties(loadedBy("pino"))).toContain("pino");
});
