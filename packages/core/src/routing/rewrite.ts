import type { PathMatch } from "../model/match.ts";
import type { RegexRewrite, Rewrite } from "../model/route.ts";
import { compileSubstitution } from "../pattern.ts";

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

/** How a rewrite changes a path, compiled; null if it leaves paths alone. The query stays, the result always starts with a slash. */
export function pathRewriter(rewrite: Rewrite | null, match: PathMatch | null): ((path: string) => string) | null {
  if (rewrite === null) return null;
  const { prefix, path: whole, regex } = rewrite;
  if (prefix !== null) return (path) => replacePrefix(path, matchedPrefix(match), prefix);
  if (whole !== null) return (path) => onPathname(path, () => whole);
  return regex === null ? null : regexRewriter(regex);
}

/** Replaces every match of the expression in the path without its query. */
export function regexRewriter({ pattern, substitution }: RegexRewrite): (path: string) => string {
  const substitute = compileSubstitution(pattern, substitution);
  return (path) => onPathname(path, substitute);
}

export function rewritePath(path: string, rewrite: Rewrite | null, match: PathMatch | null): string {
  return pathRewriter(rewrite, match)?.(path) ?? path;
}

function onPathname(path: string, change: (pathname: string) => string): string {
  const query = path.indexOf("?");
  const changed = change(query < 0 ? path : path.slice(0, query));
  return (changed.startsWith("/") ? changed : `/${changed}`) + (query < 0 ? "" : path.slice(query));
}
