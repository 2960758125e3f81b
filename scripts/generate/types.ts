import type { Key, Kind, ListKind, ObjectKind } from "../../packages/core/src/control/document/kinds.ts";
import { objectsOf } from "./objects.ts";
import { range } from "./range.ts";

/** The TypeScript types of a document. */
export function documentTypes(root: ObjectKind): string {
  const interfaces = objectsOf(root).map(interfaceOf);
  return [
    "// Written by scripts/generate.ts from control/document/schema.ts; not to be edited.",
    'import type { Duration } from "../duration.ts";',
    "",
    interfaces.join("\n\n"),
    "",
  ].join("\n");
}

function interfaceOf(kind: ObjectKind): string {
  const keys = Object.entries(kind.keys).map(([name, key]) => {
    const type = typeOf(key.kind);
    return `  /** ${docOf(key)} */\n  readonly ${/^[\w$]+$/.test(name) ? name : JSON.stringify(name)}${key.required ? "" : "?"}: ${type};`;
  });
  return `/** ${kind.doc} */\nexport interface ${kind.name} {\n${keys.join("\n")}\n}`;
}

function docOf(key: Key): string {
  const allowed = range(key.kind);
  const absent = key.default === undefined ? key.absent : JSON.stringify(key.default);
  return [key.doc, allowed && `Allowed: ${allowed}.`, absent && `Default: ${absent}.`].filter(Boolean).join(" ");
}

function typeOf(kind: Kind): string {
  switch (kind.kind) {
    case "object":
      return kind.name;
    case "map":
      return `Readonly<Record<string, ${typeOf(kind.of)}>>`;
    case "list":
      return kind.orOne ? `${typeOf(kind.of)} | ${listType(kind)}` : listType(kind);
    case "string":
      return "string";
    case "integer":
      return "number";
    case "boolean":
      return "boolean";
    case "true":
      return "true";
    case "duration":
      return "Duration";
    case "enum":
      return [
        ...kind.values.map((value) => JSON.stringify(value)),
        ...(kind.prefixes ?? []).map((prefix) => `\`${prefix}\${string}\``),
      ].join(" | ");
    case "off":
      return `${typeOf(kind.or)} | "off"`;
    case "either":
      return `${typeOf(kind.scalar)} | ${typeOf(kind.object)}`;
    case "condition":
      return [...kind.words.map((value) => JSON.stringify(value)), "number"].join(" | ");
    case "percent":
      return "number";
    case "json":
      return "unknown";
    default:
      return kind satisfies never;
  }
}

function listType(kind: ListKind): string {
  const of = typeOf(kind.of);
  return `readonly ${/[ |]/.test(of) ? `(${of})` : of}[]`;
}
