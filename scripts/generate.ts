import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { DOCUMENT } from "../packages/core/src/control/document/schema.ts";
import { jsonSchema } from "./generate/json-schema.ts";
import { configurationReference } from "./generate/reference.ts";
import { documentTypes } from "./generate/types.ts";

/** Everything that is made from the schema of the native document, by path from the repository's root. */
export function generated(): Readonly<Record<string, string>> {
  return {
    "packages/core/src/gen/document.ts": documentTypes(DOCUMENT),
    "packages/core/schema/mesh.schema.json": jsonSchema(DOCUMENT),
    "packages/heddle/schema/mesh.schema.json": jsonSchema(DOCUMENT),
    "docs/configuration.md": configurationReference(DOCUMENT),
  };
}

function write(): void {
  for (const [path, content] of Object.entries(generated())) {
    const file = fileURLToPath(new URL(`../${path}`, import.meta.url));
    mkdirSync(dirname(file), { recursive: true });
    // An unchanged file keeps its time, so that tsc need not build again.
    if (read(file) !== content) writeFileSync(file, content);
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // Not written yet.
  }
}

if (import.meta.main) write();
