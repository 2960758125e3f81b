import type { PathMatch } from "../model/match.ts";
import type { Rewrite } from "../model/route.ts";

/** Replaces the part of the path that the route's prefix matched. The query stays; the result always starts with a slash. */
export function replacePrefix(path: string, matched: string, replacement: string): string {
  const query = path.indexOf("?");
  const pathname = query < 0 ? path : path.slice(0, query);
  const prefix = matched.endsWith("/") ? matched.slice(0, -1) : matched;
  const rest = pathname.slice(prefix.length);
  const head = replacement.endsWith("/") ? replacement.slice(0, -1) : replacement;
  const joined = head + (rest === "" || rest.startsWith("/") ? rest : `/${rest}`);
  return (joined.startsWith("/") ? joined : `/${joined}`) + (query < 0 ? "" : path.slice(query));
}

/** The prefix a path match leaves for rewriting; `/` where the match is not on a prefix. */
export function matchedPrefix(match: PathMatch | null): string {
  return match && !match.not && (match.kind === "prefix" || match.kind === "string-prefix") ? match.value : "/";
}

export function rewritePath(path: string, rewrite: Rewrite | null, match: PathMatch | null): string {
  return rewrite?.prefix == null ? path : replacePrefix(path, matchedPrefix(match), rewrite.prefix);
}
