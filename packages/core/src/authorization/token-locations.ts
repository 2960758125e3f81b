import type { HeaderMap } from "../message.ts";
import type { JwtRule } from "../model/jwt.ts";

/** A header that tokens may stand in, and whose tokens by what comes before them. */
export interface TokenLocation {
  readonly header: string;
  /** Longest first: of two that fit the longer is meant. */
  readonly prefixes: readonly TokenPrefix[];
}

interface TokenPrefix {
  /** In lower case, without the blank that may end it. */
  readonly word: string;
  /** A blank has to follow. */
  readonly isScheme: boolean;
  readonly rules: readonly JwtRule[];
}

/** A token that is there; its worth is not known. */
export interface FoundToken {
  readonly header: string;
  readonly text: string;
  /** Those that look at this place. */
  readonly rules: readonly JwtRule[];
}

export type TokenSearch =
  | { readonly kind: "found"; readonly tokens: readonly FoundToken[] }
  /** Which of several fields the application takes cannot be told. */
  | { readonly kind: "ambiguous"; readonly header: string };

const NOTHING: TokenSearch = { kind: "found", tokens: [] };

export function tokenLocations(rules: readonly JwtRule[]): readonly TokenLocation[] {
  const headers = new Map<string, Map<string, JwtRule[]>>();
  for (const rule of rules)
    for (const { header, prefix } of rule.from) {
      const prefixes = headers.get(header) ?? new Map<string, JwtRule[]>();
      headers.set(header, prefixes);
      const users = prefixes.get(prefix.toLowerCase()) ?? [];
      if (!users.includes(rule)) users.push(rule);
      prefixes.set(prefix.toLowerCase(), users);
    }
  return [...headers].map(([header, prefixes]) => ({
    header,
    prefixes: [...prefixes]
      .map(([prefix, users]) => ({ word: prefix.trimEnd(), isScheme: /\s$/.test(prefix), rules: users }))
      .sort((one, other) => other.word.length - one.word.length),
  }));
}

export function findTokens(locations: readonly TokenLocation[], headers: HeaderMap): TokenSearch {
  let tokens: FoundToken[] | null = null;
  for (const { header, prefixes } of locations) {
    const field = headers[header];
    if (field === undefined) continue;
    if (typeof field !== "string" && field.length > 1) return { kind: "ambiguous", header };
    const value = typeof field === "string" ? field : field[0];
    const found = value === undefined ? null : tokenIn(value, header, prefixes);
    if (found === null) continue;
    tokens ??= [];
    tokens.push(found);
  }
  return tokens === null ? NOTHING : { kind: "found", tokens };
}

const BLANKS = /^[ \t]+|[ \t]+$/g;

/**
 * Prefixes in any case and with any blanks after them: an application that reads more forms than the mesh would take a token for verified
 * that was not looked at. null: the field holds something else.
 */
function tokenIn(field: string, header: string, prefixes: readonly TokenPrefix[]): FoundToken | null {
  const value = field.replace(BLANKS, "");
  for (const { word, isScheme, rules } of prefixes) {
    if (word !== "" && value.slice(0, word.length).toLowerCase() !== word) continue;
    const rest = value.slice(word.length);
    if (isScheme && word !== "" && rest !== "" && !/^[ \t]/.test(rest)) continue;
    return { header, text: rest.replace(BLANKS, ""), rules };
  }
  return null;
}
