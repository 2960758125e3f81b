import { expectation } from "../../packages/core/src/control/document/expectation.ts";
import type { Kind } from "../../packages/core/src/control/document/kinds.ts";

/** What a key's type does not already say about its values; empty if nothing. */
export function range(kind: Kind): string {
  switch (kind.kind) {
    case "off":
      return range(kind.or);
    case "either":
      return range(kind.scalar);
    case "integer":
      return `${kind.min} to ${kind.max}`;
    case "duration":
      return "1ms to 24h";
    case "string":
      return kind.format === "text" ? "" : expectation(kind);
    case "condition":
      return `${kind.words.join(", ")}, statuses from ${kind.minStatus} to ${kind.maxStatus}`;
    case "percent":
      return "0 to 100, at most four decimals";
    case "list": {
      const each = range(kind.of);
      if (kind.orOne) return each;
      return [kind.atLeast ? `at least ${kind.atLeast}` : "", each && `each ${each}`].filter(Boolean).join(", ");
    }
    case "map": {
      const each = range(kind.of);
      return [kind.atLeast ? `at least ${kind.atLeast}` : "", each && `each ${each}`].filter(Boolean).join(", ");
    }
    default:
      return "";
  }
}
