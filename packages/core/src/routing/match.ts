import { isTaken } from "../fraction.ts";
import type { HeaderMap, MeshRequest } from "../message.ts";
import type { Fraction, NamedMatch, PathMatch, RouteMatch } from "../model/match.ts";
import { compileRegex, compileStringMatch } from "../pattern.ts";
import type { Random } from "../random.ts";

/** One condition of a route, compiled. `why` is how `explain` says it. */
export interface Condition {
  readonly why: string;
  /** `pathname` is the request's path without its query. */
  test(request: MeshRequest, pathname: string): boolean;
}

/** A route's match, compiled: all conditions must hold. The fraction comes last and is the only one that consumes randomness. */
export interface CompiledMatch {
  /** What was compiled. */
  readonly definition: RouteMatch;
  readonly conditions: readonly Condition[];
  readonly fraction: Fraction | null;
  test(request: MeshRequest, pathname: string): boolean;
}

export function compileMatch(match: RouteMatch, random: Random): CompiledMatch {
  const conditions: Condition[] = [];
  const { authority, path, method, fraction } = match;
  if (authority) {
    const matches = compileStringMatch(authority);
    conditions.push({ why: describe("authority", authority), test: (request) => matches(request.authority) });
  }
  if (path) conditions.push(pathCondition(path));
  if (method) {
    const methods = new Set(method.methods);
    const why = `method ${method.not ? "not " : ""}in ${method.methods.join(", ")}`;
    conditions.push({ why, test: (request) => methods.has(request.method) !== method.not });
  }
  for (const header of match.headers) conditions.push(headerCondition(header));
  for (const parameter of match.query) conditions.push(queryCondition(parameter));
  return { definition: match, conditions, fraction, test: testOf(conditions, fraction, random) };
}

function testOf(conditions: readonly Condition[], fraction: Fraction | null, random: Random): CompiledMatch["test"] {
  const [first] = conditions;
  if (!first && !fraction) return () => true;
  if (first && conditions.length === 1 && !fraction) return first.test;
  return (request, pathname) => {
    for (const condition of conditions) if (!condition.test(request, pathname)) return false;
    return fraction === null || isTaken(fraction, random);
  };
}

function pathCondition(match: PathMatch): Condition {
  const positive = pathPredicate(match);
  return {
    why: describe("path", match),
    test: match.not ? (_request, pathname) => !positive(pathname) : (_request, pathname) => positive(pathname),
  };
}

function pathPredicate(match: PathMatch): (pathname: string) => boolean {
  if (match.kind === "regex") return regexPredicate(match);
  const fold = match.ignoreCase ? (value: string) => value.toLowerCase() : (value: string) => value;
  const wanted = wantedPath(match);
  switch (match.kind) {
    case "exact":
      return (pathname) => fold(pathname) === wanted;
    case "suffix":
      return (pathname) => fold(pathname).endsWith(wanted);
    case "string-prefix":
      return (pathname) => fold(pathname).startsWith(wanted);
    case "prefix":
      return (pathname) => {
        const path = fold(pathname);
        return path.startsWith(wanted) && (path.length === wanted.length || path.charCodeAt(wanted.length) === 47);
      };
    default:
      return match.kind satisfies never;
  }
}

/** Compiled when it is first asked, which of many expressions few ever are: compiling one costs a hundred times as much as finding a route. */
function regexPredicate({ value, ignoreCase }: PathMatch): (pathname: string) => boolean {
  let matches: ((pathname: string) => boolean) | null = null;
  return (pathname) => {
    matches ??= compileRegex(value, ignoreCase);
    return matches(pathname);
  };
}

/** What a path is compared with: in lower case where case does not matter; a prefix without the slash that ends its last element. */
export function wantedPath({ kind, value, ignoreCase }: PathMatch): string {
  const wanted = ignoreCase ? value.toLowerCase() : value;
  return kind === "prefix" && wanted.endsWith("/") ? wanted.slice(0, -1) : wanted;
}

function headerCondition({ name, match }: NamedMatch): Condition {
  const matches = compileStringMatch(match);
  return { why: describe(`header ${name}`, match), test: (request) => matches(joinedHeader(request.headers, name)) };
}

/** Several fields of one name are one list (RFC 9110 5.3). */
export function joinedHeader(headers: HeaderMap, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "object" ? value.join(",") : value;
}

function queryCondition({ name, match }: NamedMatch): Condition {
  const matches = compileStringMatch(match);
  return { why: describe(`query ${name}`, match), test: (request) => matches(queryParameter(request.path, name)) };
}

/** The first parameter of that name, decoded. */
function queryParameter(path: string, name: string): string | undefined {
  const start = path.indexOf("?");
  if (start < 0) return undefined;
  // With its question mark, of which one is left out: a second one belongs to the first name.
  return new URLSearchParams(path.slice(start)).get(name) ?? undefined;
}

function describe(what: string, match: { kind: string; value: string; not: boolean; ignoreCase: boolean }): string {
  const value = match.kind === "present" ? "" : ` ${JSON.stringify(match.value)}`;
  return `${what} ${match.not ? "not " : ""}${match.kind}${value}${match.ignoreCase ? " (any case)" : ""}`;
}
