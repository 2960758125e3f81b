import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSpiffeId, type SpiffeId } from "./spiffe-id.ts";
import { compileSpiffeIdMatcher, trustDomainMatcher } from "./spiffe-id-matcher.ts";

const SEED = 20260116;

function id(text: string): SpiffeId {
  const parsed = parseSpiffeId(text);
  if (!parsed.ok) throw new Error(parsed.reason);
  return parsed.value;
}

function matches(pattern: string, text: string): boolean {
  const matcher = compileSpiffeIdMatcher(pattern);
  if (!matcher.ok) throw new Error(matcher.reason);
  return matcher.value.matches(id(text));
}

const trustDomain = fc.constantFrom("a", "a.b", "b", "aa", "shop.example", "shop.example.evil");
const segments = fc.array(fc.constantFrom("ns", "shop", "shopping", "sa", "web", "w"), { minLength: 1, maxLength: 4 });
const path = segments.map((parts) => `/${parts.join("/")}`);

describe("an exact matcher", () => {
  test("matches its ID and no other", () => {
    fc.assert(
      fc.property(trustDomain, path, trustDomain, path, (td, below, otherTd, otherBelow) => {
        expect(matches(`spiffe://${td}${below}`, `spiffe://${otherTd}${otherBelow}`)).toBe(td === otherTd && below === otherBelow);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });
});

describe("a prefix matcher", () => {
  test("matches by whole segments, at least one below its path, in its trust domain alone", () => {
    fc.assert(
      fc.property(trustDomain, fc.oneof(path, fc.constant("")), trustDomain, path, (td, prefix, otherTd, below) => {
        const wanted = prefix === "" ? [] : prefix.slice(1).split("/");
        const given = below.slice(1).split("/");
        const expected = td === otherTd && given.length > wanted.length && wanted.every((part, index) => part === given[index]);
        expect(matches(`spiffe://${td}${prefix}/*`, `spiffe://${otherTd}${below}`)).toBe(expected);
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  test("does not match its own path, a longer word, or the trust domain's own ID", () => {
    expect(matches("spiffe://shop.example/ns/shop/*", "spiffe://shop.example/ns/shop/sa/web")).toBe(true);
    expect(matches("spiffe://shop.example/ns/shop/*", "spiffe://shop.example/ns/shop")).toBe(false);
    expect(matches("spiffe://shop.example/ns/shop/*", "spiffe://shop.example/ns/shopping/sa/web")).toBe(false);
    expect(matches("spiffe://shop.example/*", "spiffe://shop.example")).toBe(false);
  });
});

describe("trustDomainMatcher", () => {
  test("matches every workload of the trust domain and none of another", () => {
    const matcher = trustDomainMatcher("shop.example");
    if (!matcher.ok) throw new Error(matcher.reason);
    expect(matcher.value.matches(id("spiffe://shop.example/x"))).toBe(true);
    expect(matcher.value.matches(id("spiffe://shop.example.evil/x"))).toBe(false);
    expect(matcher.value.matches(id("spiffe://shop.example"))).toBe(false);
    expect(trustDomainMatcher("Shop").ok).toBe(false);
  });
});

describe("compileSpiffeIdMatcher", () => {
  test.each([
    "spiffe://shop.example",
    "*",
    "spiffe://*",
    "spiffe://*/x",
    "spiffe://a/*/x",
    "spiffe://a/x*",
    "spiffe://a/**",
    "spiffe://a/x/",
    "",
    "a/x",
    "/*",
    "spiffe:///*",
  ])("refuses %j, naming it", (pattern) => {
    const result = compileSpiffeIdMatcher(pattern);
    expect(result).toMatchObject({ ok: false, reason: expect.stringContaining(JSON.stringify(pattern)) });
  });

  test("tells whoever forgot the path how to mean everybody", () => {
    const result = compileSpiffeIdMatcher("spiffe://shop.example");
    expect(result).toMatchObject({ reason: expect.stringContaining('"spiffe://shop.example/*" is every workload in it') });
  });
});
