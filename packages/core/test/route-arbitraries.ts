import fc from "fast-check";
import type { MeshRequest } from "../src/message.ts";
import type { Fraction, MethodMatch, NamedMatch, PathMatch, RouteMatch, StringMatch } from "../src/model/match.ts";
import { compileRegex } from "../src/pattern.ts";
import { type RequestParts, requestOf } from "./builders.ts";

// Matches and requests of few words, so that they meet often. Among the words is what folds case in unusual ways: a long s, the Kelvin
// sign, a dotted capital I, a sigma at the end.

const WORD = fc.constantFrom(
  "",
  "a",
  "ab",
  "A",
  "b",
  "s",
  "k",
  "K",
  "i",
  "%2F",
  "%c3%a9",
  "é",
  "É",
  "\u017f",
  "\u212a",
  "\u0130",
  "ΑΣ",
  "😀",
);
const WORDS = fc.array(WORD, { maxLength: 3 });
/** Not every one begins with a slash. */
const PATH = fc.oneof(
  { weight: 8, arbitrary: WORDS.map((words) => `/${words.join("/")}`) },
  { weight: 1, arbitrary: fc.constantFrom("", "*", "/", "//", "/a", "/a/", "a", "/ab/a/s/k") },
);

const FRAGMENT = fc.constantFrom(
  ...["/a", "/ab", "/s", "/K", "/k", "/", "a", "é", ".*", "[^/]+", "(a|b)", "(?:/a|/b)", "(?P<n>/a)", "|", "?", "*", "+", "{2}", "{0,1}"],
  ...[
    "(?i)",
    "(?-i)",
    "(?i:a)",
    "^",
    "$",
    "\\A",
    "\\.",
    "\\/",
    "\\d",
    "\\pL",
    "\\x61",
    "\\Qa|b\\E",
    "\\Q\\E",
    "[|]",
    "[]|]",
    "[^]|]",
    "[[:alpha:]|]",
    "()",
  ],
);

/** An expression in RE2 syntax, with all that may stand where one begins. */
export const REGEX = fc
  .array(FRAGMENT, { maxLength: 5 })
  .map((fragments) => fragments.join(""))
  .filter(isExpression);

export const REGEX_INPUT = fc.oneof(
  PATH,
  fc.array(fc.constantFrom("/", "a", "A", "b", "é", "|", "]", ".", "\n"), { maxLength: 6 }).map((all) => all.join("")),
);

function isExpression(pattern: string): boolean {
  try {
    compileRegex(pattern);
    return true;
  } catch {
    // RE2 refuses it: there is nothing to test with it.
    return false;
  }
}

const RARELY = fc.integer({ max: 5, min: 0 }).map((drawn) => drawn === 0);

const PATH_MATCH: fc.Arbitrary<PathMatch> = fc
  .constantFrom("exact", "prefix", "prefix", "string-prefix", "suffix", "regex" as const)
  .chain((kind) =>
    fc.record({ kind: fc.constant(kind as PathMatch["kind"]), value: kind === "regex" ? REGEX : PATH, ignoreCase: RARELY, not: RARELY }),
  );

const STRING_MATCH: fc.Arbitrary<StringMatch> = fc.record({
  kind: fc.constantFrom("exact", "exact", "prefix", "suffix", "contains", "regex", "present" as const) as fc.Arbitrary<StringMatch["kind"]>,
  value: fc.constantFrom("1", "2", "x"),
  ignoreCase: RARELY,
  not: RARELY,
});

const HEADER = fc.constantFrom("x-a", "x-b", "x-c");

function named(name: fc.Arbitrary<string>): fc.Arbitrary<NamedMatch[]> {
  const some = fc.array(fc.record({ name, match: STRING_MATCH }), { minLength: 1, maxLength: 2 });
  return fc.oneof({ weight: 3, arbitrary: fc.constant<NamedMatch[]>([]) }, { weight: 1, arbitrary: some });
}

const METHOD: fc.Arbitrary<MethodMatch> = fc.record({ methods: fc.subarray(["GET", "HEAD", "POST"], { minLength: 1 }), not: RARELY });

const FRACTION: fc.Arbitrary<Fraction> = fc.record({ numerator: fc.constantFrom(0, 30, 50, 100), denominator: fc.constant(100) });

export const ROUTE_MATCH: fc.Arbitrary<RouteMatch> = fc.record({
  authority: fc.option(fc.constant({ kind: "exact", value: "reviews", ignoreCase: false, not: false } as const), { freq: 1 }),
  path: fc.option(PATH_MATCH, { freq: 6 }),
  method: fc.option(METHOD, { freq: 1 }),
  headers: named(HEADER),
  query: named(fc.constant("q")),
  fraction: fc.option(FRACTION, { freq: 1 }),
});

const HEADER_VALUE = fc.constantFrom(undefined, undefined, "1", "2", "X", ["1", "2"], ["1"]);

export const REQUEST: fc.Arbitrary<MeshRequest> = fc
  .record({
    method: fc.constantFrom("GET", "HEAD", "POST"),
    path: fc.tuple(PATH, fc.constantFrom("", "", "?q=1", "?q=2&q=1", "?")).map((parts) => parts.join("")),
    headers: fc.record({ "x-a": HEADER_VALUE, "x-b": HEADER_VALUE, "x-c": HEADER_VALUE }),
  })
  .map((parts: RequestParts) => requestOf(parts));
