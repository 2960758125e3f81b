import type { RouteMatch } from "../model/match.ts";
import { literalPrefix } from "./literal-prefix.ts";
import { wantedPath } from "./match.ts";
import type { PathKind } from "./path-tree.ts";

/** How the path of every request begins that a match takes. */
export interface PathRequirement {
  readonly kind: PathKind;
  /** With `ignoreCase`: as {@link foldedPath} has it. */
  readonly text: string;
  readonly ignoreCase: boolean;
}

/** A header that every request has that a match takes. */
export interface HeaderRequirement {
  readonly name: string;
  /** null: any. */
  readonly value: string | null;
}

/**
 * A path as it is looked up where case does not matter. In RE2 an `s` matches a long s too, which `toLowerCase` leaves alone; it is the
 * only character that the two fold into ASCII differently.
 */
export function foldedPath(path: string): string {
  const lower = path.toLowerCase();
  return lower.includes("\u017f") ? lower.replaceAll("\u017f", "s") : lower;
}

/** null: nothing is known of the beginning. */
export function pathRequirement({ path }: RouteMatch): PathRequirement | null {
  if (path === null || path.not || path.kind === "suffix") return null;
  if (path.kind === "regex") return required("prefix", literalPrefix(path.value, path.ignoreCase));
  const kind = path.kind === "exact" ? "exact" : path.kind === "prefix" ? "element" : "prefix";
  return required(kind, { text: wantedPath(path), ignoreCase: path.ignoreCase });
}

function required(kind: PathKind, { text, ignoreCase }: { text: string; ignoreCase: boolean }): PathRequirement | null {
  if (text === "" && kind !== "exact") return null;
  return { kind, text: ignoreCase ? foldedPath(text) : text, ignoreCase };
}

/** What is inverted also takes requests without the header, and is none. */
export function headerRequirements({ headers }: RouteMatch): HeaderRequirement[] {
  return headers
    .filter(({ match }) => !match.not)
    .map(({ name, match }) => ({ name, value: match.kind === "exact" && !match.ignoreCase ? match.value : null }));
}
