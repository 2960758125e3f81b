import { createRequire } from "node:module";
import type { StringMatch } from "./model/match.ts";

/** Whether a value (undefined: there is none) matches. */
export type Predicate = (value: string | undefined) => boolean;

const require = createRequire(import.meta.url);

interface Compiled {
  matches(input: string): boolean;
  matcher(input: string): { replaceAll(replacement: (...groups: (string | undefined)[]) => string): string };
}

interface Re2 {
  RE2JS: { compile(pattern: string, flags?: number): Compiled; CASE_INSENSITIVE: number; DOTALL: number };
}

/** A full match in linear time, whatever the pattern (RE2 syntax). Throws what RE2 says of a pattern it rejects. */
export function compileRegex(pattern: string, ignoreCase = false): (value: string) => boolean {
  const { RE2JS } = require("re2js") as Re2;
  const compiled = RE2JS.compile(pattern, RE2JS.DOTALL | (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0));
  return (value) => compiled.matches(value);
}

/** Replaces every match. In the substitution `\0` is the whole match, `\1` to `\9` are its groups, `\\` is a backslash (RE2's GlobalReplace). */
export function compileSubstitution(pattern: string, substitution: string): (value: string) => string {
  const { RE2JS } = require("re2js") as Re2;
  const compiled = RE2JS.compile(pattern, RE2JS.DOTALL);
  const parts = substitution.split(/\\([0-9\\])/);
  // Odd parts are what stood behind a backslash.
  const expand = (groups: readonly (string | undefined)[]) =>
    parts.map((part, index) => (index % 2 === 0 ? part : part === "\\" ? part : (groups[Number(part)] ?? ""))).join("");
  return (value) => compiled.matcher(value).replaceAll((...groups) => expand(groups));
}

export function compileStringMatch(match: StringMatch): Predicate {
  const positive = compilePositive(match);
  if (match.kind === "present") return match.not ? (value) => value === undefined : (value) => value !== undefined;
  return match.not ? (value) => value === undefined || !positive(value) : (value) => value !== undefined && positive(value);
}

function compilePositive(match: StringMatch): (value: string) => boolean {
  const fold = match.ignoreCase ? (value: string) => value.toLowerCase() : (value: string) => value;
  const wanted = fold(match.value);
  switch (match.kind) {
    case "exact":
      return (value) => fold(value) === wanted;
    case "prefix":
      return (value) => fold(value).startsWith(wanted);
    case "suffix":
      return (value) => fold(value).endsWith(wanted);
    case "contains":
      return (value) => fold(value).includes(wanted);
    case "regex":
      return compileRegex(match.value, match.ignoreCase);
    case "present":
      return () => true;
    default:
      return match.kind satisfies never;
  }
}
