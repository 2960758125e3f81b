import fc from "fast-check";
import { expect, test } from "vitest";
import { loadDocument } from "./load.ts";
import { parseDocument } from "./parse.ts";

function problemsOf(text: string, file = "mesh.yaml"): readonly string[] {
  return loadDocument(text, file).problems.map(({ where, message }) => `${where} ${message}`);
}

test("says line and column of the value, or of the key where the key is the mistake", () => {
  const text = [
    "apiVersion: heddle/v1",
    "services:",
    "  reviews:",
    "    timeout: soon",
    "    retri: {}",
    "    endpoints:",
    "      - { weight: 1 }",
  ].join("\n");
  expect(problemsOf(text).map((problem) => problem.split(" ", 2).join(" "))).toEqual([
    "mesh.yaml:4:14 services.reviews.timeout:",
    "mesh.yaml:5:5 services.reviews.retri:",
    "mesh.yaml:7:9 services.reviews.endpoints[0]:",
  ]);
});

test("says line and column in JSON too", () => {
  const text = '{\n\t"apiVersion": "heddle/v1",\n\t"services": { "web": { "timeout": 0 } }\n}';
  expect(problemsOf(text, "mesh.json")[0]).toMatch(/^mesh\.json:3:36 services\.web\.timeout: found 0/);
});

test("a file that calls itself JSON has to be JSON", () => {
  expect(problemsOf("apiVersion: heddle/v1", "mesh.json")[0]).toMatch(/^mesh\.json:1:1 not valid JSON/);
  expect(problemsOf('{ "apiVersion": "heddle/v1", }', "mesh.json")[0]).toMatch(/^mesh\.json:1:30 not valid JSON/);
});

test.each([
  ["", /^mesh\.yaml:1:1 found an empty document/],
  ["# only a comment\n", /^mesh\.yaml:1:1 found an empty document/],
  ["just text", /^mesh\.yaml:1:1 document: found "just text", expected a mapping/],
  ["- a", /^mesh\.yaml:1:1 document: found a list/],
  ["a: b: c", /^mesh\.yaml:1:4 not valid YAML/],
  ['a: "open', /^mesh\.yaml:1:\d+ not valid YAML/],
  ["a:\n\tb: 1", /^mesh\.yaml:2:1 not valid YAML: Tabs/],
  ["apiVersion: heddle/v1\n---\napiVersion: heddle/v1", /^mesh\.yaml:2:1 found a second document/],
  ["apiVersion: heddle/v1\nservices: {}\nservices: {}", /^mesh\.yaml:3:1 found the key "services" twice/],
  ["apiVersion: heddle/v1\nservices: !!js/function x", /^mesh\.yaml:2:11 found a tag/],
  ["apiVersion: heddle/v1\nservices: *none", /^mesh\.yaml:2:11 found the alias \*none/],
  ["apiVersion: heddle/v1\nservices: &a { web: *a }", /^mesh\.yaml:2:\d+ found the alias \*a inside of what it stands for/],
  ["? [a]\n: b", /^mesh\.yaml:1:3 found a key that is a list/],
  ["__proto__: { polluted: true }", /found the unknown key "__proto__"|apiVersion/],
])("refuses %j with its place", (text, expected) => {
  const problems = problemsOf(text);
  expect(
    problems.some((problem) => expected.test(problem)),
    problems[0],
  ).toBe(true);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test("a text that nests without end is refused", () => {
  expect(problemsOf("[".repeat(100_000)).some((problem) => problem.includes("nested too deeply"))).toBe(true);
  for (const levels of [101, 150, 200, 201, 500, 1_000, 1_500, 100_000])
    expect(problemsOf(`${"- ".repeat(levels)}1`).join()).toMatch(/nested (?:deeper than 100 levels|too deeply)/);
});

const NESTED: Readonly<Record<string, (levels: number) => string>> = {
  "lists on one line": (levels) => `${"- ".repeat(levels)}1`,
  "lists below each other": (levels) => `${indented(levels, 1, "-").join("\n")} 1`,
  mappings: (levels) => `${indented(levels, 1, "a:").join("\n")} 1`,
  "mappings, and what ends all of them": (levels) => `${indented(levels, 1, "a:").join("\n")} 1\nb: 2`,
  "lists and mappings of one column": (levels) => `a:\n${indented(levels / 2, 2, "- a:").join("\n")} 1`,
  "explicit keys": (levels) => `${"? ".repeat(levels)}1`,
  brackets: (levels) => `${"[".repeat(levels)}1${"]".repeat(levels)}`,
  "pairs in brackets": (levels) => `${"[a: ".repeat(levels / 2)}1${"]".repeat(levels / 2)}`,
  objects: (levels) => `${'{"a":\n'.repeat(levels)}1${"}".repeat(levels)}`,
};

function indented(lines: number, step: number, line: string): readonly string[] {
  return Array.from({ length: lines }, (_, level) => `${" ".repeat(step * level)}${line}`);
}

// The reader runs out of stack at some 1,000 levels, and on Node 22 that can end the process.
test.each(Object.keys(NESTED))("%s nest to the bound of 100, and beyond it are refused, however many", (name) => {
  const nested = NESTED[name];
  if (nested === undefined) throw new Error(name);
  for (const levels of [50, 90]) expect(problemsOf(nested(levels)).filter((problem) => problem.includes("nested"))).toEqual([]);
  for (const levels of [102, 200, 400, 1_000, 3_000])
    expect(problemsOf(nested(levels)).join(), `${levels} levels`).toMatch(/nested (?:deeper than 100 levels|too deeply)/);
});

test("what is too deep is reported where it stands", () => {
  expect(problemsOf(`a: 1\nb: "[[["\nc: ${"[".repeat(250)}`)).toEqual(["mesh.yaml:3:201 the document is nested too deeply to be read"]);
});

test("expands anchors", () => {
  const text = "apiVersion: heddle/v1\nservices:\n  a: { retry: &retry { maxRetries: 3 } }\n  b: { retry: *retry }\n";
  const { value, problems } = parseDocument(text, "mesh.yaml");
  expect(problems).toEqual([]);
  expect(value).toMatchObject({ services: { a: { retry: { maxRetries: 3 } }, b: { retry: { maxRetries: 3 } } } });
});

test("aliases that multiply are refused before they fill the memory", () => {
  const levels = Array.from(
    { length: 12 },
    (_, level) =>
      `l${level}: &l${level} [${Array(10)
        .fill(level === 0 ? "x" : `*l${level - 1}`)
        .join(", ")}]`,
  );
  const problems = problemsOf(`apiVersion: heddle/v1\n${levels.join("\n")}`);
  expect(problems.some((problem) => problem.includes("aliases that repeat more than"))).toBe(true);
});

test("never throws, whatever the text", () => {
  const fragment = fc.oneof(
    fc.string(),
    fc.constantFrom(
      "apiVersion: heddle/v1\n",
      "services:\n",
      "  web: ",
      "&a ",
      "*a ",
      "- ",
      "? ",
      ": ",
      "{",
      "}",
      "[",
      "]",
      "\n",
      "\t",
      "!!map ",
      "|\n",
      '"',
      "off",
      "0",
      "~",
    ),
  );
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 30 }), fc.constantFrom("mesh.yaml", "mesh.json"), (fragments, file) => {
      const { snapshot, problems } = loadDocument(fragments.join(""), file);
      for (const { where } of problems) expect(where).toMatch(/^mesh\.(yaml|json):\d+:\d+$/);
      expect(snapshot === null).toBe(problems.some(({ severity }) => severity === "error"));
    }),
    { numRuns: 500 },
  );
});

test("never throws on a document in which any value was replaced by any other", () => {
  const whole = {
    apiVersion: "heddle/v1",
    services: {
      web: {
        hosts: ["web"],
        endpoints: [{ address: "a:1", labels: { v: "1" } }],
        subsets: { v1: { labels: { v: "1" }, outlier: { maxEjection: "1m" } } },
        timeout: "1s",
        retry: { backoff: { base: "1ms" }, budget: { percent: 1 }, perTryTimeout: "1s" },
        routes: [
          { match: { path: { prefix: "/" }, headers: { a: { exact: "b" } } }, to: [{ subset: "v1", weight: 1 }] },
          { redirect: { host: "x" } },
        ],
      },
    },
  };
  const paths: (string | number)[][] = [];
  const collect = (value: unknown, path: (string | number)[]): void => {
    paths.push(path);
    if (typeof value === "object" && value !== null)
      for (const [key, held] of Object.entries(value)) collect(held, [...path, Array.isArray(value) ? Number(key) : key]);
  };
  collect(whole, []);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...paths), fc.jsonValue()), { minLength: 1, maxLength: 4 }), (changes) => {
      let changed: unknown = structuredClone(whole);
      for (const [path, replacement] of changes) changed = replaceAt(changed, path, replacement);
      const text = JSON.stringify(changed);
      const { snapshot, problems } = loadDocument(text, "mesh.json");
      expect(snapshot === null).toBe(problems.some(({ severity }) => severity === "error"));
    }),
    { numRuns: 1_000 },
  );
});

function replaceAt(value: unknown, path: readonly (string | number)[], replacement: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return replacement;
  if (Array.isArray(value)) return value.map((item, index) => (index === step ? replaceAt(item, rest, replacement) : item));
  if (typeof value !== "object" || value === null) return value;
  return { ...value, [step]: replaceAt((value as Record<string | number, unknown>)[step], rest, replacement) };
}

test("reads ten thousand endpoints in a moment", () => {
  const lines = Array.from(
    { length: 10_000 },
    (_, index) => `      - { address: "10.0.${index >> 8}.${index & 255}:80", labels: { version: v1 } }`,
  );
  const { snapshot } = loadDocument(`apiVersion: heddle/v1\nservices:\n  web:\n    endpoints:\n${lines.join("\n")}\n`, "mesh.yaml");
  expect(snapshot?.endpointSets.get("web")?.endpoints).toHaveLength(10_000);
});

test("thousands of mistakes among thousands of names cost no more than reading them", () => {
  const lines = Array.from({ length: 3_000 }, (_, index) => `  service-${index}: { routes: [{ to: [{ service: servce-${index} }] }] }`);
  const { problems } = loadDocument(`apiVersion: heddle/v1\nservices:\n${lines.join("\n")}\n`, "mesh.yaml");
  expect(problems[0]?.message).toContain('did you mean "service-0"?');
  expect(problems).toHaveLength(1_000);
});
