import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const MODEL = new URL("../packages/core/src/model/", import.meta.url);
/** Files that hold figures, functions or what is said about a configuration, no concepts of one. */
const NO_CONCEPTS: readonly string[] = ["defaults.ts", "validate.ts", "problem.ts", "backends-of-route.ts", "grpc-status.ts"];

/** `Type.field` for every field of the model's exported types, and `Type` for those without fields. */
function conceptsOfModel(): readonly string[] {
  const files = readdirSync(MODEL).filter((file) => !file.endsWith(".test.ts") && !NO_CONCEPTS.includes(file));
  return files.flatMap((file) => conceptsOf(readFileSync(new URL(file, MODEL), "utf8")));
}

function conceptsOf(source: string): readonly string[] {
  const code = source.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
  return [...code.matchAll(/^export (?:interface|type) (\w+)[\s\S]*?(?=^export |(?![\s\S]))/gm)].flatMap(([declaration, type]) => {
    const fields = [...declaration.matchAll(/\breadonly (\w+)\??:/g)].map(([, field]) => `${type}.${field}`);
    return fields.length === 0 ? [`${type}`] : [...new Set(fields)];
  });
}

interface Row {
  readonly concept: string;
  readonly cells: readonly string[];
}

function rowsOfTable(): readonly Row[] {
  const text = readFileSync(new URL("../docs/model.md", import.meta.url), "utf8");
  return [...text.matchAll(/^\| `(\w+(?:\.\w+)?)` \|(.*)\|$/gm)].map(([, concept = "", rest = ""]) => ({
    concept,
    cells: rest.split(/(?<!\\)\|/).map((cell) => cell.trim()),
  }));
}

test("docs/model.md has one row for each concept of the model, and none for what is not in it", () => {
  const documented = rowsOfTable().map(({ concept }) => concept);
  expect([...documented].sort()).toEqual([...conceptsOfModel()].sort());
});

test("each row has a name in xDS, Istio, Consul and Gateway API, or says that there is none", () => {
  for (const { concept, cells } of rowsOfTable()) {
    expect(cells, concept).toHaveLength(4);
    for (const cell of cells) expect(cell, concept).not.toBe("");
  }
});

test("the types are read as they are written: a field that is added is a concept that is missing", () => {
  const source = "/** readonly no: string */\nexport interface A {\n  readonly b: { readonly c?: string };\n}\nexport type D = 1;\n";
  expect(conceptsOf(source)).toEqual(["A.b", "A.c", "D"]);
});
