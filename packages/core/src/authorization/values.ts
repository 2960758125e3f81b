import type { PathValueMatch } from "../model/authorization.ts";
import { compileStringMatch } from "../pattern.ts";
import { compileTemplate } from "./terms/path-template.ts";

export type TextTest = (text: string) => boolean;

/** Whether one of the values matches. `present` takes what is not empty. */
export function compileValues(values: readonly PathValueMatch[]): TextTest {
  const exact = new Set<string>();
  const tests: TextTest[] = [];
  for (const value of values) {
    if (value.kind === "exact" && !value.ignoreCase) exact.add(value.value);
    else tests.push(compileValue(value));
  }
  const [only] = exact;
  if (only !== undefined) tests.unshift(exact.size === 1 ? (text) => text === only : (text) => exact.has(text));
  const [first] = tests;
  if (first === undefined) return () => false;
  return tests.length === 1 ? first : (text) => tests.some((test) => test(text));
}

function compileValue(match: PathValueMatch): TextTest {
  if (match.kind === "template") return compileTemplate(match.value);
  if (match.kind === "present") return (text) => text !== "";
  // By far the most frequent, and asked of every request.
  if (match.kind === "prefix" && !match.ignoreCase) return (text) => text.startsWith(match.value);
  if (match.kind === "suffix" && !match.ignoreCase) return (text) => text.endsWith(match.value);
  if (match.kind === "regex") return lazily(() => compileStringMatch({ ...match, not: false }));
  return compileStringMatch({ ...match, not: false });
}

/** Expressions are compiled on first use: few of many ever are, and the library is loaded with the first. */
function lazily(compile: () => TextTest): TextTest {
  let test: TextTest | null = null;
  return (text) => {
    test ??= compile();
    return test(text);
  };
}
