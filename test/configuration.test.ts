import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { generated } from "../scripts/generate.ts";

test("what is generated from the schema is what is committed and built: `npm run build` writes it again", () => {
  for (const [path, content] of Object.entries(generated())) {
    expect(readFileSync(new URL(`../${path}`, import.meta.url), "utf8"), path).toBe(content);
  }
});

test("every object of the JSON Schema refuses unknown keys, and every reference in it leads somewhere", () => {
  const schema = JSON.parse(generated()["packages/core/schema/mesh.schema.json"] ?? "") as {
    $defs: Record<string, { additionalProperties: unknown }>;
  };
  for (const [name, definition] of Object.entries(schema.$defs)) expect(definition.additionalProperties, name).toBe(false);
  const references = JSON.stringify(schema).matchAll(/"#\/\$defs\/(\w+)"/g);
  for (const [, name] of references) expect(schema.$defs).toHaveProperty(name ?? "");
});
