export type PathKind = "prefix" | "exact" | "regex";

/** 60 % prefix, 30 % exact, 10 % regex, in no order that would help: the kinds follow each other in a pattern of ten. */
const PATTERN: readonly PathKind[] = ["prefix", "exact", "prefix", "prefix", "exact", "regex", "prefix", "exact", "prefix", "prefix"];

export interface GeneratedRoute {
  readonly name: string;
  readonly match: { readonly path: Readonly<Record<string, string>> };
}

/** Routes of which only the last, of the given kind, matches {@link lastPath}. */
export function generatedRoutes(count: number, last: PathKind): readonly GeneratedRoute[] {
  return Array.from({ length: count }, (_, number) => {
    const kind = number === count - 1 ? last : (PATTERN[number % PATTERN.length] as PathKind);
    return { name: `route-${number}`, match: { path: pathOf(number, kind) } };
  });
}

/** As an API of many resources has them: a few first elements, many second ones. */
function resource(number: number): string {
  return `/api/area-${number % 20}/resource-${number}`;
}

function pathOf(number: number, kind: PathKind): Record<string, string> {
  switch (kind) {
    case "prefix":
      return { prefix: resource(number) };
    case "exact":
      return { exact: `${resource(number)}/summary` };
    case "regex":
      return { regex: `${resource(number)}/items/[0-9]+(/[a-z-]+)?` };
    default:
      return kind satisfies never;
  }
}

export function lastPath(count: number, last: PathKind): string {
  const path = resource(count - 1);
  return { prefix: `${path}/items/42`, exact: `${path}/summary`, regex: `${path}/items/42/parts` }[last];
}
