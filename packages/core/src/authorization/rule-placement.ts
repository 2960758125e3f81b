import type {
  AttributeCondition,
  AuthorizationCondition,
  AuthorizationRule,
  ConditionGroup,
  PathValueMatch,
} from "../model/authorization.ts";

/** The texts by which rules are looked up: what many rules name exactly. */
export const PLACED_TEXTS = ["principal", "service-account", "request-principal", "namespace"] as const;
export type PlacedText = (typeof PLACED_TEXTS)[number];
/** A namespace holds many callers: a path tells rules apart better. */
const BEFORE_PATHS = PLACED_TEXTS.filter((kind) => kind !== "namespace");

/**
 * Where a rule is looked up: a request that does not have one of the keys does not match it. `path` has whole paths and the folders
 * that paths are in, which end with a slash.
 */
export type RulePlace =
  | { readonly by: PlacedText; readonly keys: readonly string[] }
  | { readonly by: "path"; readonly exact: readonly string[]; readonly folders: readonly string[] }
  | { readonly by: "always" };

/** So many elements of a path tell rules apart; each that rules use costs every request a look. */
const MAX_FOLDER_DEPTH = 4;

export function placeOf(rule: AuthorizationRule): RulePlace {
  for (const by of BEFORE_PATHS) {
    const keys = required(rule, (condition) => exactTexts(condition, by));
    if (keys !== null) return { by, keys: [...new Set(keys)] };
  }
  const paths = required(rule, pathKeys);
  if (paths === null) {
    const namespaces = required(rule, (condition) => exactTexts(condition, "namespace"));
    return namespaces === null ? { by: "always" } : { by: "namespace", keys: [...new Set(namespaces)] };
  }
  return {
    by: "path",
    exact: [...new Set(paths.filter(({ isExact }) => isExact).map(({ text }) => text))],
    folders: [...new Set(paths.filter(({ isExact }) => !isExact).map(({ text }) => text))],
  };
}

/** The keys of which a request must have one: of a condition in `when`, or of one in every group of `from` or `to`. null: none. */
function required<Key>(
  rule: AuthorizationRule,
  keysOf: (condition: AuthorizationCondition) => readonly Key[] | null,
): readonly Key[] | null {
  const ofGroup = (group: ConditionGroup) => group.map(keysOf).find((keys) => keys !== null) ?? null;
  const always = ofGroup(rule.when);
  if (always !== null) return always;
  for (const groups of [rule.from, rule.to]) {
    const each = groups.map(ofGroup);
    if (each.length > 0 && each.every((keys) => keys !== null)) return each.flat();
  }
  return null;
}

function exactTexts(condition: AuthorizationCondition, kind: PlacedText): readonly string[] | null {
  if (condition.kind !== kind || condition.not) return null;
  return condition.values.every((value) => value.kind === "exact" && !value.ignoreCase) ? condition.values.map(({ value }) => value) : null;
}

interface PathKey {
  readonly text: string;
  readonly isExact: boolean;
}

function pathKeys(condition: AuthorizationCondition): readonly PathKey[] | null {
  if (condition.kind !== "path" || condition.not) return null;
  const keys = (condition as AttributeCondition & { kind: "path" }).values.map(pathKey);
  return keys.every((key) => key !== null) ? keys : null;
}

function pathKey(match: PathValueMatch): PathKey | null {
  if (match.kind === "exact" && !match.ignoreCase) return { text: match.value, isExact: true };
  const isPrefix = match.kind === "prefix" && !match.ignoreCase;
  if (!isPrefix && match.kind !== "template") return null;
  const brace = match.kind === "template" ? match.value.indexOf("{") : -1;
  const folder = folderOf(brace < 0 ? match.value : match.value.slice(0, brace));
  return folder === null ? null : { text: folder, isExact: false };
}

/** Up to the last slash of the first few; null: the root, which every path is in. */
function folderOf(beginning: string): string | null {
  let end = 0;
  for (let depth = 0, at = beginning.indexOf("/", 1); at > 0 && depth < MAX_FOLDER_DEPTH; depth++, at = beginning.indexOf("/", at + 1))
    end = at + 1;
  return end === 0 || !beginning.startsWith("/") ? null : beginning.slice(0, end);
}
