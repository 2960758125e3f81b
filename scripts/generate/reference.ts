import { named } from "../../packages/core/src/control/document/expectation.ts";
import type { Key, Kind, ObjectKind } from "../../packages/core/src/control/document/kinds.ts";
import { API_VERSION } from "../../packages/core/src/control/document/schema.ts";
import { objectsOf, parts } from "./objects.ts";
import { range } from "./range.ts";

/** docs/configuration.md: every key with its type, default, range and meaning. */
export function configurationReference(root: ObjectKind): string {
  const places = placesOf(root);
  const sections = objectsOf(root).map((kind) => section(kind, places.get(kind.name) ?? []));
  return `${[introduction(), ...sections].join("\n\n")}\n`;
}

function introduction(): string {
  return [
    "# Configuration",
    "",
    "<!-- Written by scripts/generate.ts from packages/core/src/control/document/schema.ts. `npm run build` writes it again. -->",
    "",
    "Every key of the native document. It is YAML, JSON, or the same object in code. A key that is not in these tables is a mistake,",
    "and all mistakes are reported at once, each with file, line, column, what was found and what was expected.",
    "Editors complete it when the first line of a YAML file names the schema:",
    "",
    "```yaml",
    "# yaml-language-server: $schema=./node_modules/heddle/schema/mesh.schema.json",
    `apiVersion: ${API_VERSION}`,
    "```",
    "",
    `\`${API_VERSION}\` only ever grows: a later version of heddle reads every document that this one reads, with the same meaning. A document of another`,
    "`apiVersion` is refused. Keys whose behaviour is not built yet are refused too, and listed below each table.",
    "",
    "A *duration* is a number of milliseconds or a string such as `250ms`, `2s`, `1m30s`, `1h`, at most `24h`.",
  ].join("\n");
}

function section(kind: ObjectKind, places: readonly string[]): string {
  const rows = Object.entries(kind.keys).map(([name, key]) => row(name, key));
  const found = places.map((place) => `\`${place}\``).join(", ");
  return [
    `## ${title(kind)}`,
    "",
    `${kind.doc}${found === "" ? "" : ` At ${found}.`}`,
    "",
    "| key | type | default | allowed | meaning |",
    "|---|---|---|---|---|",
    ...rows,
    ...(kind.choice
      ? ["", `${kind.choice.required ? "Exactly" : "At most"} one of ${kind.choice.of.map((name) => `\`${name}\``).join(", ")}.`]
      : []),
    ...(kind.later ? ["", `Not built in this version: ${kind.later.map((name) => `\`${name}\``).join(", ")}.`] : []),
  ].join("\n");
}

function row(name: string, key: Key): string {
  const fallback = key.required ? "required" : key.default === undefined ? (key.absent ?? "") : `\`${written(key.default)}\``;
  const cells = [`\`${name}\``, typeOf(key.kind), fallback, range(key.kind) + laterValues(key.kind), key.doc];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

function written(value: NonNullable<Key["default"]>): string {
  return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
}

function laterValues(kind: Kind): string {
  return kind.kind === "enum" && kind.later && kind.later.length > 0
    ? `not built yet: ${kind.later.map((word) => `\`${word}\``).join(", ")}`
    : "";
}

function typeOf(kind: Kind): string {
  switch (kind.kind) {
    case "object":
      return link(kind);
    case "map":
      return `${kind.key.slice(1, -1)} → ${typeOf(kind.of)}`;
    case "list":
      return kind.orOne ? `${typeOf(kind.of)} or a list` : `list of ${typeOf(kind.of)}`;
    case "enum":
      return [...kind.values, ...named(kind)].map((value) => `\`${value}\``).join(" or ");
    case "off":
      return `${typeOf(kind.or)} or \`off\``;
    case "either":
      return `${typeOf(kind.scalar)} or ${typeOf(kind.object)}`;
    case "condition":
      return "condition or status";
    case "true":
      return "`true`";
    case "json":
      return "anything";
    default:
      return kind.kind;
  }
}

function title(kind: ObjectKind): string {
  return kind.name.replace(/Document$/, "").replaceAll(/(?<=[a-z])([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
}

function link(kind: ObjectKind): string {
  return `[${title(kind).toLowerCase()}](#${title(kind).toLowerCase().replaceAll(" ", "-")})`;
}

/** Every path under which an object may be written. */
function placesOf(root: ObjectKind): ReadonlyMap<string, readonly string[]> {
  const places = new Map<string, string[]>();
  const visit = (kind: Kind, path: string): void => {
    if (kind.kind === "object") {
      if (path !== "") places.set(kind.name, [...(places.get(kind.name) ?? []), path]);
      for (const [name, key] of Object.entries(kind.keys)) visit(key.kind, path === "" ? name : `${path}.${name}`);
    } else if (kind.kind === "map") visit(kind.of, `${path}.${kind.key}`);
    else if (kind.kind === "list") visit(kind.of, `${path}[]`);
    else for (const part of parts(kind)) visit(part, path);
  };
  visit(root, "");
  return places;
}
