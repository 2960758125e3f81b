import { type NamedMatch, type PathMatch, type RouteMatch, type StringMatch, seededRandom } from "@heddle/core";
import { requestOf, virtualHostOf } from "@heddle/testing";
import fc from "fast-check";
import { expect } from "vitest";
import { compileRegex } from "../../packages/core/src/pattern.ts";
import { compileMatch } from "../../packages/core/src/routing/match.ts";
import { pathnameOf } from "../../packages/core/src/routing/router.ts";
import { VirtualHosts } from "../../packages/core/src/routing/virtual-hosts.ts";
import { headerMap } from "../../packages/http/src/header-map.ts";
import { fuzz } from "./fuzz.ts";
import { HOSTILE_NAMES, hostileText, piecesOf } from "./hostile.ts";

const word = fc.oneof(piecesOf(["a", "A", "b", "/", ".", "\u00e9", "%2f"], 3), hostileText(1));
/** Expressions that mean the same to RE2 and to JavaScript. */
const expression = piecesOf(["a", "b", "/", ".", "a*", "b+", "(?:a|b)", "[^/]*", "[a-c]", "\\.", "\\d", "(a)", "a?", "a{1,2}"], 4);
const flags = { ignoreCase: fc.boolean(), not: fc.boolean() };
const stringMatch: fc.Arbitrary<StringMatch> = fc.oneof(
  fc.record({ kind: fc.constantFrom("exact", "prefix", "suffix", "contains", "present"), value: word, ...flags }),
  fc.record({ kind: fc.constant("regex"), value: expression, ...flags }),
);
const path = piecesOf(["/", "/", "a", "A", "b", ".", "%2f", "\u00e9"], 5).map((text) => `/${text}`);
const pathMatch: fc.Arbitrary<PathMatch> = fc.oneof(
  fc.record({ kind: fc.constantFrom("exact", "prefix", "string-prefix", "suffix"), value: path, ...flags }),
  fc.record({ kind: fc.constant("regex"), value: expression, ...flags }),
);
const headerName = fc.constantFrom("x-a", "x-b", ...HOSTILE_NAMES.map((name) => name.toLowerCase()));
const parameterName = fc.oneof(fc.constantFrom("q", "Q", "a b", ...HOSTILE_NAMES), hostileText(1));
const named = (name: fc.Arbitrary<string>): fc.Arbitrary<readonly NamedMatch[]> =>
  fc.array(fc.record({ name, match: stringMatch }), { maxLength: 2 });
const routeMatch: fc.Arbitrary<RouteMatch> = fc.record({
  authority: fc.option(stringMatch, { freq: 2 }),
  path: fc.option(pathMatch),
  method: fc.option(fc.record({ methods: fc.array(fc.constantFrom("GET", "PUT", "constructor"), { maxLength: 2 }), not: fc.boolean() }), {
    freq: 2,
  }),
  headers: named(headerName),
  query: named(parameterName),
  fraction: fc.constant(null),
});
const query = fc.oneof(
  fc
    .array(fc.tuple(parameterName, word), { maxLength: 3 })
    .map((pairs) => pairs.map(([name, value]) => `${encode(name)}=${encode(value)}`).join("&")),
  piecesOf(["q", "=", "&", "+", "%20", "%zz", "%ff", "a", "?", "__proto__"], 6),
);
const asked = fc.record({
  method: fc.constantFrom("GET", "PUT", "POST", "constructor"),
  authority: fc.oneof(fc.constantFrom("a", "a.b", "reviews:80"), word),
  path: fc.tuple(path, fc.option(query)).map(([pathname, search]) => (search === null ? pathname : `${pathname}?${search}`)),
  headers: fc.array(fc.tuple(headerName, word), { maxLength: 3 }),
});
type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never;

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function matchesString(match: StringMatch, value: string | undefined): boolean {
  if (value === undefined) return match.not;
  const fold = (text: string): string => (match.ignoreCase ? text.toLowerCase() : text);
  return holds(match.kind, fold(value), fold(match.value), match, value) !== match.not;
}

function holds(
  kind: StringMatch["kind"],
  value: string,
  wanted: string,
  { value: pattern, ignoreCase }: { value: string; ignoreCase: boolean },
  raw: string,
): boolean {
  switch (kind) {
    case "exact":
      return value === wanted;
    case "prefix":
      return value.slice(0, wanted.length) === wanted;
    case "suffix":
      return wanted === "" || value.slice(-wanted.length) === wanted;
    case "contains":
      return value.split(wanted).length > 1 || wanted === "";
    case "present":
      return true;
    case "regex":
      return new RegExp(`^(?:${pattern})$`, ignoreCase ? "isu" : "su").test(raw);
    default:
      return kind satisfies never;
  }
}

function matchesPath(match: PathMatch, pathname: string): boolean {
  if (match.kind === "regex") return matchesString({ ...match, kind: "regex" }, pathname);
  if (match.kind !== "prefix") return matchesString({ ...match, kind: match.kind === "string-prefix" ? "prefix" : match.kind }, pathname);
  const fold = (text: string): readonly string[] => (match.ignoreCase ? text.toLowerCase() : text).split("/");
  const elements = fold(pathname);
  const wanted = fold(match.value.endsWith("/") ? match.value.slice(0, -1) : match.value);
  return wanted.every((element, index) => elements[index] === element) !== match.not;
}

function firstParameter(url: string, name: string): string | undefined {
  const start = url.indexOf("?");
  if (start < 0) return undefined;
  for (const part of url.slice(start + 1).split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    if (decode(equals < 0 ? part : part.slice(0, equals)) === name.toWellFormed()) return decode(equals < 0 ? "" : part.slice(equals + 1));
  }
  return undefined;
}

/** application/x-www-form-urlencoded, byte by byte. */
function decode(text: string): string {
  const bytes = Buffer.from(text.replaceAll("+", " "), "utf8");
  const decoded: number[] = [];
  for (let index = 0; index < bytes.length; index++) {
    const hex = bytes.toString("latin1", index + 1, index + 3);
    if (bytes[index] === 0x25 && /^[0-9a-f]{2}$/i.test(hex)) {
      decoded.push(Number.parseInt(hex, 16));
      index += 2;
    } else decoded.push(bytes[index] ?? 0);
  }
  // Unlike Buffer's, the decoder of forms keeps a byte order mark.
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Uint8Array.from(decoded));
}

function matchesAll(match: RouteMatch, request: Asked): boolean {
  const fieldOf = (name: string): string | undefined => {
    const values = request.headers.filter(([field]) => field === name).map(([, value]) => value);
    return values.length === 0 ? undefined : values.join(",");
  };
  return (
    (match.authority === null || matchesString(match.authority, request.authority)) &&
    (match.path === null || matchesPath(match.path, request.path.split("?")[0] ?? "")) &&
    (match.method === null || match.method.methods.some((method) => method === request.method) !== match.method.not) &&
    match.headers.every(({ name, match: wanted }) => matchesString(wanted, fieldOf(name))) &&
    match.query.every(({ name, match: wanted }) => matchesString(wanted, firstParameter(request.path, name)))
  );
}

const random = seededRandom(1);

fuzz("a route takes exactly the requests that its match describes", fc.tuple(routeMatch, asked), ([match, wanted]) => {
  const compiled = compileMatch(match, random);
  const made: unknown = requestOf({ ...wanted, headers: headerMap(wanted.headers) });
  const request = made as Parameters<typeof compiled.test>[0];
  const found = compiled.test(request, pathnameOf(request.path));
  if (found !== matchesAll(match, wanted)) throw new Error(`found ${found}: ${JSON.stringify(match)}`);
  const all = compiled.conditions.every((condition) => condition.test(request, pathnameOf(request.path)));
  if (all !== found) throw new Error("the conditions that explain names say otherwise than the match");
});

const CATASTROPHIC = [
  "(a+)+",
  "(a*)*",
  "(a|a)*",
  "(a|aa)+",
  "(.*)*",
  "(?:a?){20}a{20}",
  "([a-z]+)*x",
  "(a{1,30}){1,10}",
  "((a?)*)*",
  ".*.*.*.*=.*",
  "\\d+\\d+\\d+\\d+z",
];

fuzz(
  "no expression takes longer than its length times the text's",
  fc.tuple(
    fc.oneof(
      fc.constantFrom(...CATASTROPHIC),
      fc.array(fc.constantFrom(...CATASTROPHIC), { minLength: 2, maxLength: 3 }).map((parts) => parts.join("")),
    ),
    fc.constantFrom("a", "ab", "aa=", "1"),
    fc.nat(40),
    fc.constantFrom("", "!", "x", "\n"),
  ),
  ([pattern, unit, times, end]) => {
    const matches = compiledOnce(pattern);
    const text = unit.repeat(times) + end;
    const found = matches(text);
    // A text of one kind of letter is safe to ask JavaScript about, where it is short.
    if (text.length <= 8 && new RegExp(`^(?:${pattern})$`, "su").test(text) !== found)
      throw new Error(`${pattern} on ${JSON.stringify(text)}: ${found}`);
  },
);

const compiled = new Map<string, (text: string) => boolean>();

function compiledOnce(pattern: string): (text: string) => boolean {
  const known = compiled.get(pattern) ?? compileRegex(pattern);
  compiled.set(pattern, known);
  return known;
}

const HOSTS = ["a", "b.a", "c.b.a", "a:80", "b.a:80", "[::1]", "[::1]:80", ...HOSTILE_NAMES];
const CLAIMS = [...HOSTS, "*", "*.a", "*.b.a", "*.A", "B.a"];

fuzz(
  "a host goes to the most specific claim: with its port, without, the longest suffix, any",
  fc.tuple(
    fc.uniqueArray(fc.constantFrom(...CLAIMS), { maxLength: 6, selector: (claim) => claim.toLowerCase() }),
    fc.oneof(fc.constantFrom(...HOSTS, "x.c.b.a:80", "A:81"), hostileText(2)),
  ),
  ([claims, authority]) => {
    const hosts = new VirtualHosts(claims.map((claim) => virtualHostOf({ name: claim, authorities: [claim] })));
    const wanted = authority.toLowerCase();
    const colon = wanted.lastIndexOf(":");
    const bare = colon > wanted.lastIndexOf("]") ? wanted.slice(0, colon) : wanted;
    const lower = claims.map((claim) => claim.toLowerCase());
    const suffixes = lower.filter((claim) => claim.startsWith("*.") && (bare.endsWith(claim.slice(1)) || wanted.endsWith(claim.slice(1))));
    suffixes.sort((one, other) => other.length - one.length);
    const expected =
      [wanted, bare].find((claim) => lower.includes(claim) && !claim.startsWith("*")) ??
      suffixes[0] ??
      lower.find((claim) => claim === "*");
    if (hosts.find(authority)?.claim !== expected) expect(hosts.find(authority)?.claim).toBe(expected);
  },
);
