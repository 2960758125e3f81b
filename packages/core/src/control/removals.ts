import { isMapping } from "./document/check-shape.ts";
import type { Kind } from "./document/kinds.ts";
import type { Path } from "./document/places.ts";
import { DOCUMENT } from "./document/schema.ts";

type Plain = Readonly<Record<string, unknown>>;

/** How many keys below its top-level key a part of a document stands; elsewhere the top-level key is the part. */
export const PART_DEPTH: Readonly<Record<string, number>> = { mesh: 1, defaults: 1, policies: 1, resources: 1, services: 2 };

/**
 * Takes the nulls out of a document that remove a part of an earlier one (`services.reviews.timeout: null`), or a whole service. A null
 * under a key that does not exist stays, for the check to find it.
 */
export function takeRemovals(document: Plain): { readonly rest: Plain; readonly removals: readonly Path[] } {
  const removals: Path[] = [];
  const rest = Object.create(null) as Record<string, unknown>;
  for (const [key, value] of Object.entries(document)) {
    const kind = Object.hasOwn(DOCUMENT.keys, key) ? DOCUMENT.keys[key]?.kind : undefined;
    rest[key] = kind ? take(value, kind, PART_DEPTH[key] ?? 0, [key], removals) : value;
  }
  return { rest, removals };
}

function take(value: unknown, kind: Kind, depth: number, path: Path, removals: Path[]): unknown {
  if (depth === 0 || !isMapping(value)) return value;
  // What nothing is taken from stays the object that it is.
  if (depth === 1 && !Object.values(value).includes(null)) return value;
  const rest = Object.create(null) as Record<string, unknown>;
  for (const [key, held] of Object.entries(value)) {
    const below = kindOf(kind, key);
    if (held === null && below) removals.push([...path, key]);
    else rest[key] = below ? take(held, below, depth - 1, [...path, key], removals) : held;
  }
  return rest;
}

function kindOf(kind: Kind, key: string): Kind | undefined {
  if (kind.kind === "map") return kind.of;
  if (kind.kind === "object") return Object.hasOwn(kind.keys, key) ? kind.keys[key]?.kind : undefined;
  return undefined;
}
