import { FORMATS, type FormatName } from "../../packages/core/src/control/document/formats.ts";
import type { EnumKind, Kind, ListKind, ObjectKind } from "../../packages/core/src/control/document/kinds.ts";
import { objectsOf } from "./objects.ts";

type Schema = Readonly<Record<string, unknown>>;

/** The document as JSON Schema 2020-12, for editors. Weaker than the checks: it knows nothing across keys. */
export function jsonSchema(root: ObjectKind): string {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "urn:heddle:schema:v1",
    title: "heddle mesh document",
    ...reference(root),
    $defs: Object.fromEntries(objectsOf(root).map((kind) => [kind.name, objectSchema(kind)])),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

const reference = (kind: ObjectKind): Schema => ({ $ref: `#/$defs/${kind.name}` });

function objectSchema(kind: ObjectKind): Schema {
  const properties = Object.entries(kind.keys).map(([name, key]) => [
    name,
    { description: key.doc, ...schemaOf(key.kind), ...(key.default === undefined ? {} : { default: key.default }) },
  ]);
  const required = Object.entries(kind.keys).flatMap(([name, key]) => (key.required ? [name] : []));
  return {
    description: kind.doc,
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(properties),
    ...(required.length > 0 ? { required } : {}),
    ...choice(kind),
  };
}

function choice(kind: ObjectKind): Schema {
  if (!kind.choice) return {};
  const { of, required } = kind.choice;
  if (required) return { oneOf: of.map((name) => ({ required: [name] })) };
  const pairs = of.flatMap((first, index) => of.slice(index + 1).map((second) => ({ required: [first, second] })));
  return { not: { anyOf: pairs } };
}

function schemaOf(kind: Kind): Schema {
  switch (kind.kind) {
    case "object":
      return reference(kind);
    case "map":
      return {
        type: "object",
        propertyNames: { pattern: FORMATS[kind.keyFormat].pattern.source },
        additionalProperties: schemaOf(kind.of),
        ...(kind.atLeast ? { minProperties: kind.atLeast } : {}),
      };
    case "list":
      return kind.orOne ? { anyOf: [schemaOf(kind.of), listSchema(kind)] } : listSchema(kind);
    case "string":
      return stringSchema(kind.format);
    case "integer":
      return { type: "integer", minimum: kind.min, maximum: kind.max };
    case "boolean":
      return { type: "boolean" };
    case "true":
      return { const: true };
    case "duration":
      return {
        anyOf: [
          { type: "string", pattern: "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$" },
          { type: "number", minimum: kind.minMs, maximum: 86_400_000 },
        ],
      };
    case "enum":
      return enumSchema(kind);
    case "off":
      return { anyOf: [{ const: "off" }, schemaOf(kind.or)] };
    case "either":
      return { anyOf: [schemaOf(kind.scalar), schemaOf(kind.object)] };
    case "condition":
      return { anyOf: [{ enum: kind.words }, { type: "integer", minimum: kind.minStatus, maximum: kind.maxStatus }] };
    case "percent":
      return { type: "number", minimum: 0, maximum: 100 };
    case "json":
      return {};
    default:
      return kind satisfies never;
  }
}

function enumSchema({ values, prefixes = [] }: EnumKind): Schema {
  if (prefixes.length === 0) return { enum: values };
  return { anyOf: [{ enum: values }, ...prefixes.map((prefix) => ({ type: "string", pattern: `^${prefix}.` }))] };
}

function listSchema(kind: ListKind): Schema {
  return { type: "array", items: schemaOf(kind.of), ...(kind.atLeast ? { minItems: kind.atLeast } : {}) };
}

function stringSchema(format: FormatName): Schema {
  const { pattern } = FORMATS[format];
  return pattern.source === "^" ? { type: "string" } : { type: "string", pattern: pattern.source };
}
