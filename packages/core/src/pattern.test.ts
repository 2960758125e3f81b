import fc from "fast-check";
import { expect, test } from "vitest";
import { stringMatchOf } from "../test/builders.ts";
import type { StringMatch } from "./model/match.ts";
import { compileRegex, compileStringMatch } from "./pattern.ts";

const matches = (parts: Partial<StringMatch>, value: string | undefined) => compileStringMatch(stringMatchOf(parts))(value);

test.each([
  ["exact", "abc", ["abc"], ["ABC", "abcd", "ab", ""]],
  ["prefix", "ab", ["ab", "abc"], ["Abc", "xab", "a", ""]],
  ["suffix", "bc", ["bc", "abc"], ["aBC", "bcx", "c", ""]],
  ["contains", "b", ["b", "abc"], ["aBc", "", "ac"]],
  ["regex", "a.c|x+", ["abc", "xxx"], ["abcd", "zabc", "abc\nabc", ""]],
  ["present", "", ["", "anything"], []],
] as const)("%s matches what it says and nothing else", (kind, value, matching, others) => {
  for (const one of matching) expect(matches({ kind, value }, one), one).toBe(true);
  for (const one of others) expect(matches({ kind, value }, one), one).toBe(false);
  for (const one of matching) expect(matches({ kind, value, not: true }, one), one).toBe(false);
  for (const one of others) expect(matches({ kind, value, not: true }, one), one).toBe(true);
});

test("a missing value matches nothing, and inverted, everything", () => {
  for (const kind of ["exact", "prefix", "suffix", "contains", "regex", "present"] as const) {
    expect(matches({ kind, value: "" }, undefined), kind).toBe(false);
    expect(matches({ kind, value: "", not: true }, undefined), `not ${kind}`).toBe(true);
  }
});

test("ignoreCase folds both sides, for every kind", () => {
  for (const [kind, value, input] of [
    ["exact", "aBc", "AbC"],
    ["prefix", "AB", "abc"],
    ["suffix", "bC", "aBc"],
    ["contains", "B", "abc"],
    ["regex", "A.C", "aBc"],
  ] as const) {
    expect(matches({ kind, value, ignoreCase: true }, input), kind).toBe(true);
    expect(matches({ kind, value }, input), kind).toBe(false);
  }
});

test("a regex must match the whole value, whatever alternatives and newlines are in it", () => {
  expect(compileRegex("a|ab")("ab")).toBe(true);
  expect(compileRegex("a.b")("a\nb")).toBe(true);
  expect(compileRegex("^a$")("a\n")).toBe(false);
});

test("a pattern that RE2 does not have is refused", () => {
  for (const pattern of ["(?=a)", "(a)\\1", "a(", "[z-a]"]) expect(() => compileRegex(pattern), pattern).toThrow();
});

test("a pattern that takes other engines for ever takes no time", () => {
  const started = process.hrtime.bigint();
  expect(compileRegex("(a+)+b")("a".repeat(5_000))).toBe(false);
  expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(2_000);
});

test("not is the complement of the same match, for every value", () => {
  const kind = fc.constantFrom("exact" as const, "prefix" as const, "suffix" as const, "contains" as const, "present" as const);
  const text = fc.string({ maxLength: 4, unit: fc.constantFrom("a", "B", "b") });
  fc.assert(
    fc.property(kind, text, fc.option(text, { nil: undefined }), fc.boolean(), (kind, value, input, ignoreCase) => {
      expect(matches({ kind, value, ignoreCase, not: true }, input)).toBe(!matches({ kind, value, ignoreCase }, input));
    }),
  );
});
