import { formatDuration } from "../../duration.ts";
import { FORMATS } from "./formats.ts";
import type { EnumKind, Kind } from "./kinds.ts";

/** The values that begin with a prefix, as one writes them. */
export function named({ prefixes = [] }: EnumKind): readonly string[] {
  return prefixes.map((prefix) => `${prefix}<name>`);
}

/** What a kind allows, in words that complete "expected ...". */
export function expectation(kind: Kind): string {
  switch (kind.kind) {
    case "object":
      return `a mapping with ${Object.keys(kind.keys).join(", ")}`;
    case "map":
      return kind.atLeast ? `a mapping with at least ${kind.atLeast} ${kind.key}` : `a mapping of ${kind.key} to ${expectation(kind.of)}`;
    case "list":
      if (kind.orOne) return `${expectation(kind.of)}, or a list of them`;
      return kind.atLeast ? `a list of at least ${kind.atLeast} of: ${expectation(kind.of)}` : `a list of: ${expectation(kind.of)}`;
    case "string":
      return FORMATS[kind.format].expected;
    case "integer":
      return `an integer from ${kind.min} to ${kind.max}`;
    case "boolean":
      return "true or false";
    case "true":
      return "true";
    case "duration":
      return `a duration from ${formatDuration(kind.minMs)} to 24h, such as 250ms, 2s or 1m30s`;
    case "enum":
      return kind.values.length === 1 ? String(kind.values[0]) : `one of ${[...kind.values, ...named(kind)].join(", ")}`;
    case "off":
      return `off or ${expectation(kind.or)}`;
    case "either":
      return `${expectation(kind.scalar)}, or ${expectation(kind.object)}`;
    case "condition":
      return `one of ${kind.words.join(", ")}, or a status from ${kind.minStatus} to ${kind.maxStatus}`;
    case "percent":
      return "a number from 0 to 100 with at most four decimals";
    case "json":
      return "a value that JSON can say";
    default:
      return kind satisfies never;
  }
}
