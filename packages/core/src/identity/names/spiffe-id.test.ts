import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatSpiffeId, parseSpiffeId, parseTrustDomain, spiffeId } from "./spiffe-id.ts";

const SEED = 20260115;
const trustDomain = fc.stringMatching(/^[a-z0-9._-]{1,40}$/);
const segment = fc.stringMatching(/^[A-Za-z0-9._-]{1,12}$/).filter((text) => text !== "." && text !== "..");
const segments = fc.array(segment, { maxLength: 6 });

const refusal = (text: string): string => {
  const result = parseSpiffeId(text);
  return result.ok ? `accepted ${text}` : result.reason;
};

describe("parseSpiffeId", () => {
  test("takes what the specification's grammar makes, in its parts, and formats it back to itself", () => {
    fc.assert(
      fc.property(trustDomain, segments, (name, parts) => {
        const text = `spiffe://${name}${parts.map((part) => `/${part}`).join("")}`;
        const result = parseSpiffeId(text);
        expect(result).toEqual({ ok: true, value: { text, trustDomain: name, path: text.slice(9 + name.length) } });
        if (result.ok) expect(formatSpiffeId(result.value)).toBe(text);
        expect(spiffeId(name, ...parts)).toEqual(result);
      }),
      { seed: SEED },
    );
  });

  test("refuses every generated violation of the grammar, wherever it is put", () => {
    const violation = fc.constantFrom<(td: string, path: string) => string>(
      (td, path) => `spiffe:///${td}${path}`,
      (td, path) => `SPIFFE://${td}${path}`,
      (td, path) => `Spiffe://${td}${path}`,
      (td, path) => `https://${td}${path}`,
      (td, path) => `spiffe:/${td}${path}`,
      (td, path) => ` spiffe://${td}${path}`,
      (td, path) => `spiffe://${td}${path} `,
      (td, path) => `spiffe://${td}${path}\0`,
      (td, path) => `spiffe://${td}${path}\n`,
      (td, path) => `spiffe://${td.slice(1)}A${path}`,
      (td, path) => `spiffe://user@${td}${path}`,
      (td, path) => `spiffe://${td}:443${path}`,
      (td, path) => `spiffe://${td}:${path}`,
      (td, path) => `spiffe://${td}%2e${path}`,
      (td, path) => `spiffe://${td}é${path}`,
      (td, path) => `spiffe://[${td}]${path}`,
      (td, path) => `spiffe://${td.repeat(256)}${path}`,
      (td, path) => `spiffe://${td}${path}/`,
      (td, path) => `spiffe://${td}/${path}/x`,
      (td, path) => `spiffe://${td}${path}//x`,
      (td, path) => `spiffe://${td}${path}/.`,
      (td, path) => `spiffe://${td}/..${path}`,
      (td, path) => `spiffe://${td}/x/..${path}/y`,
      (td, path) => `spiffe://${td}${path}/a%2Fb`,
      (td, path) => `spiffe://${td}${path}/a%41`,
      (td, path) => `spiffe://${td}${path}?q`,
      (td, path) => `spiffe://${td}${path}/a?`,
      (td, path) => `spiffe://${td}${path}#f`,
      (td, path) => `spiffe://${td}${path}/a#`,
      (td, path) => `spiffe://${td}${path}/a~b`,
      (td, path) => `spiffe://${td}${path}/a:b`,
      (td, path) => `spiffe://${td}${path}/a*`,
      (td, path) => `spiffe://${td}${path}/ü`,
      (td, path) => `spiffe://${td}${path}/\u212a`,
      (td, path) => `spiffe://${td}${path}\\x`,
      (td, path) => `spiffe://${td}${path}/${"x".repeat(2049)}`,
    );
    const path = segments.filter((parts) => parts.length > 0).map((parts) => parts.map((part) => `/${part}`).join(""));
    fc.assert(
      fc.property(violation, trustDomain, path, (violate, name, parts) => {
        const text = violate(name, parts);
        expect(parseSpiffeId(text).ok, text).toBe(false);
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  test("draws its limits at 255 bytes of trust domain and 2048 bytes in all", () => {
    expect(parseSpiffeId(`spiffe://${"a".repeat(255)}/x`).ok).toBe(true);
    expect(refusal(`spiffe://${"a".repeat(256)}/x`)).toContain("256 characters, expected at most 255 bytes");
    expect(parseSpiffeId(`spiffe://a/${"x".repeat(2048 - 11)}`).ok).toBe(true);
    expect(refusal(`spiffe://a/${"x".repeat(2048 - 10)}`)).toContain("2049 characters, expected at most 2048 bytes");
  });

  test.each([
    ["", "does not begin with spiffe://"],
    ["spiffe://", "the trust domain is empty"],
    ["spiffe:///x", "the trust domain is empty"],
    ["spiffe://Shop.example/x", "only lower case letters"],
    ["spiffe://me@shop.example/x", "user information"],
    ["spiffe://shop.example:80/x", "a port"],
    ["spiffe://shop.example/", "ends with a slash"],
    ["spiffe://shop.example/a//b", "an empty segment"],
    ["spiffe://shop.example/a/../b", 'the segment ".."'],
    ["spiffe://shop.example/a%20b", "percent-encoded"],
    ["spiffe://shop.example/a?b", "a query"],
    ["spiffe://shop.example/a b", 'segment "a b"'],
  ])("says why %j is none", (text, reason) => {
    expect(refusal(text)).toContain(reason);
  });

  test("quotes what it refuses on one line, bounded, without what a terminal obeys", () => {
    const reason = refusal(`spiffe://a/\u001b[31m\n\u202e${"x".repeat(1_000)}`);
    expect(reason).toMatch(/^[ -~]+$/);
    expect(reason.length).toBeLessThan(500);
  });
});

describe("spiffeId", () => {
  test("does not let a segment bring further segments", () => {
    expect(spiffeId("shop.example", "ns", "a/sa/admin").ok).toBe(false);
    expect(spiffeId("shop.example", "").ok).toBe(false);
    expect(spiffeId("shop.example/ns", "x").ok).toBe(false);
  });
});

describe("parseTrustDomain", () => {
  test("takes a name or the ID of a trust domain, and no path", () => {
    expect(parseTrustDomain("shop.example")).toEqual({ ok: true, value: "shop.example" });
    expect(parseTrustDomain("spiffe://shop.example")).toEqual({ ok: true, value: "shop.example" });
    expect(parseTrustDomain("spiffe://shop.example/x").ok).toBe(false);
    expect(parseTrustDomain("spiffe://").ok).toBe(false);
  });
});
