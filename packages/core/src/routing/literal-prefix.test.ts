import fc from "fast-check";
import { expect, test } from "vitest";
import { REGEX, REGEX_INPUT } from "../../test/route-arbitraries.ts";
import { compileRegex } from "../pattern.ts";
import { literalPrefix } from "./literal-prefix.ts";
import { foldedPath } from "./requirements.ts";

test.each([
  ["/api/v[0-9]+/.*", "/api/v"],
  ["^/api/(users|orders)/[^/|]+$", "/api/"],
  ["\\A/a", "/a"],
  ["/a\\.b\\-c\\d", "/a.b-c"],
  ["/api", "/api"],
  ["/users?", "/user"],
  ["/users*", "/user"],
  ["/users+", "/user"],
  ["/users{2}", "/user"],
  ["/a\\.?", "/a"],
  ["/ab(?-i)*", "/a"],
  ["/ab\\Q\\E*", "/a"],
  ["/ab(?:c)*", "/ab"],
  ["/a|/b", ""],
  ["/x(a)|[|]", ""],
  ["/x[]|)]", "/x"],
  ["/x[^]|)]", "/x"],
  ["/x[[:alpha:]|(]", "/x"],
  ["/x[\\]|(]", "/x"],
  ["/x(\\(|b)", "/x"],
  ["/x(\\)|b)", "/x"],
  ["\\Q(\\E|/b", ""],
  ["(/a).*", ""],
  ["(?i:/a)", ""],
  ["(?-i)/a", ""],
  [".*", ""],
  ["", ""],
  ["/é", "/"],
])("of %s, every match begins with %j", (pattern, expected) => {
  expect(literalPrefix(pattern, false)).toEqual({ text: expected, ignoreCase: false });
});

test("says where case does not matter, be it by a flag or by the match", () => {
  expect(literalPrefix("(?i)/Api/.*", false)).toEqual({ text: "/Api/", ignoreCase: true });
  expect(literalPrefix("(?s)(?Ui)^/Api", false)).toEqual({ text: "/Api", ignoreCase: true });
  expect(literalPrefix("(?s)/Api", false)).toEqual({ text: "/Api", ignoreCase: false });
  expect(literalPrefix("/Api", true)).toEqual({ text: "/Api", ignoreCase: true });
});

test("whatever an expression matches begins with its literal prefix", () => {
  fc.assert(
    fc.property(REGEX, fc.boolean(), fc.array(REGEX_INPUT, { minLength: 20, maxLength: 20 }), (pattern, anyCase, inputs) => {
      const { text, ignoreCase } = literalPrefix(pattern, anyCase);
      const matches = compileRegex(pattern, anyCase);
      for (const input of inputs.filter(matches)) {
        const begins = ignoreCase ? foldedPath(input).startsWith(foldedPath(text)) : input.startsWith(text);
        expect(begins, `${pattern} matches ${JSON.stringify(input)}, which does not begin with ${JSON.stringify(text)}`).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("a path in any case is looked up as RE2 folds it, for every character", () => {
  const printable = compileRegex("[ -~]", true);
  for (let code = 0; code <= 0xffff; code++) {
    const character = String.fromCharCode(code);
    if (printable(character)) expect(foldedPath(character), `U+${code.toString(16)}`).toMatch(/^[ -~]$/);
  }
  for (const letter of "abcdefghijklmnopqrstuvwxyz") {
    const matches = compileRegex(letter, true);
    for (const other of [letter, letter.toUpperCase(), "\u017f", "\u212a"]) {
      if (matches(other)) expect(foldedPath(other)).toBe(letter);
    }
  }
});
