import type { Kind, ObjectKind } from "../../packages/core/src/control/document/kinds.ts";

/** The kinds that a kind is made of. */
export function parts(kind: Kind): readonly Kind[] {
  switch (kind.kind) {
    case "object":
      return Object.values(kind.keys).map((key) => key.kind);
    case "map":
    case "list":
      return [kind.of];
    case "off":
      return [kind.or];
    case "either":
      return [kind.scalar, kind.object];
    default:
      return [];
  }
}

/** Every object of a document once, in the order in which a reader meets them. */
export function objectsOf(root: ObjectKind): readonly ObjectKind[] {
  const found = new Map<string, ObjectKind>();
  const visit = (kind: Kind): void => {
    if (kind.kind === "object") {
      const known = found.get(kind.name);
      if (known && known !== kind) throw new Error(`two different objects of the schema are called ${kind.name}`);
      if (known) return;
      found.set(kind.name, kind);
    }
    for (const part of parts(kind)) visit(part);
  };
  visit(root);
  return [...found.values()];
}
