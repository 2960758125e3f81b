import type { RouteMatch } from "../model/match.ts";
import { type HeaderRequirement, headerRequirements, type PathRequirement, pathRequirement } from "./requirements.ts";

/** Where a route is looked up: by one thing that every request has that it takes. `always`: there is no such thing. */
export type Place =
  | ({ readonly by: "path" } & PathRequirement)
  | ({ readonly by: "header" } & HeaderRequirement)
  | { readonly by: "always" };

/** Up to so many routes with the same path are looked at one by one. */
const FEW = 4;
/** Each costs every request a look, whatever routes it has. */
const MAX_HEADER_NAMES = 8;

/** A path tells routes apart best; a header where many have the same path, or none. */
export function placesOf(matches: readonly RouteMatch[]): Place[] {
  const paths = matches.map(pathRequirement);
  const crowds = crowdsOf(paths);
  const headers = matches.map((match, route) => ((crowds[route] ?? 0) > FEW ? headerRequirements(match) : []));
  const names = commonNames(headers.flat());
  const sameHeader = countOf(headers.flat().map(headerKey));
  return paths.map((path, route) => {
    const least = leastCommon(headers[route]?.filter(({ name }) => names.has(name)) ?? [], sameHeader);
    if (least && (sameHeader.get(headerKey(least)) ?? 0) < (crowds[route] ?? 0)) return { by: "header", ...least };
    return path === null ? { by: "always" } : { by: "path", ...path };
  });
}

/** For each route, how many have its path. One without may meet every request. */
function crowdsOf(paths: readonly (PathRequirement | null)[]): number[] {
  const keys = paths.map((path) => (path === null ? null : pathKey(path)));
  const counts = countOf(keys.filter((key) => key !== null));
  return keys.map((key) => (key === null ? Number.POSITIVE_INFINITY : (counts.get(key) ?? 0)));
}

function pathKey({ kind, text, ignoreCase }: PathRequirement): string {
  return `${kind} ${ignoreCase} ${text}`;
}

function headerKey({ name, value }: HeaderRequirement): string {
  return value === null ? name : `${name} ${value}`;
}

function commonNames(headers: readonly HeaderRequirement[]): Set<string> {
  const byUse = [...countOf(headers.map(({ name }) => name))].sort(([, one], [, other]) => other - one);
  return new Set(byUse.slice(0, MAX_HEADER_NAMES).map(([name]) => name));
}

function leastCommon(headers: readonly HeaderRequirement[], counts: ReadonlyMap<string, number>): HeaderRequirement | undefined {
  const count = (header: HeaderRequirement) => counts.get(headerKey(header)) ?? 0;
  return headers.toSorted((one, other) => count(one) - count(other))[0];
}

function countOf(keys: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}
