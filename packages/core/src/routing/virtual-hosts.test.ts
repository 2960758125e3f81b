import fc from "fast-check";
import { expect, test } from "vitest";
import { virtualHostOf } from "../../test/builders.ts";
import { VirtualHosts } from "./virtual-hosts.ts";

const hosts = (...claims: string[]) => new VirtualHosts(claims.map((claim) => virtualHostOf({ name: claim, authorities: [claim] })));
const found = (claims: string[], authority: string) => hosts(...claims).find(authority)?.virtualHost.name ?? null;

test("the most specific claim wins: exact with port, exact, the longest suffix, any", () => {
  const claims = ["*", "*.example.com", "*.shop.example.com", "a.shop.example.com", "a.shop.example.com:8080"];
  for (const order of [claims, [...claims].reverse()]) {
    expect(found(order, "a.shop.example.com:8080")).toBe("a.shop.example.com:8080");
    expect(found(order, "a.shop.example.com:9090")).toBe("a.shop.example.com");
    expect(found(order, "a.shop.example.com")).toBe("a.shop.example.com");
    expect(found(order, "b.shop.example.com:1")).toBe("*.shop.example.com");
    expect(found(order, "b.example.com")).toBe("*.example.com");
    expect(found(order, "example.com")).toBe("*");
    expect(found(order, "other")).toBe("*");
  }
});

test("a claim without a port matches every port, and one with a port that one alone", () => {
  expect(found(["reviews"], "reviews:9080")).toBe("reviews");
  expect(found(["reviews:80"], "reviews:81")).toBe(null);
  expect(found(["reviews:80"], "reviews")).toBe(null);
  expect(found(["*.example:80"], "a.example:80")).toBe("*.example:80");
  expect(found(["*.example:80"], "a.example:81")).toBe(null);
});

test("case does not matter, on either side", () => {
  expect(found(["Reviews"], "rEVIEWS")).toBe("Reviews");
  expect(found(["*.Example"], "A.eXAMPLE:80")).toBe("*.Example");
});

test("an IPv6 address is a host, with or without a port", () => {
  expect(found(["[::1]"], "[::1]:80")).toBe("[::1]");
  expect(found(["[::1]"], "[::1]")).toBe("[::1]");
  expect(found(["[::1]:80"], "[::1]")).toBe(null);
});

test("who claims nothing that fits is not found, and says by which claim where it is", () => {
  expect(hosts("reviews", "*.example").find("ratings")).toBe(null);
  expect(hosts().find("reviews")).toBe(null);
  expect(hosts("*.example").find("a.example")?.claim).toBe("*.example");
});

test("of two suffixes that fit, with a port and without, the longer wins, and of equally long ones the first", () => {
  const order = (...claims: string[]) => [found(claims, "x.a.example:80"), found(claims.toReversed(), "x.a.example:80")];
  expect(order("*.example:80", "*.a.example")).toEqual(["*.example:80", "*.example:80"]);
  expect(order("*.example:80", "*.example")).toEqual(["*.example:80", "*.example:80"]);
  expect(order("*.a.example", "*.example:8")).toEqual(["*.a.example", "*.a.example"]);
  expect(found(["*.ab.example", "*.example:80"], "x.ab.example:80")).toBe("*.ab.example");
  expect(found(["*.example:80", "*.ab.example"], "x.ab.example:80")).toBe("*.example:80");
});

test("agrees with the definition for any claims and authorities, whatever their case", () => {
  const label = fc.constantFrom("a", "b", "cc", "A", "");
  const host = fc.oneof(
    fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join(".")),
    fc.constantFrom("[::1]", "[::1.2]"),
  );
  const port = fc.option(fc.constantFrom("8", "80", "1.a"), { nil: null });
  const authority = fc.tuple(host, port).map(([host, port]) => (port === null ? host : `${host}:${port}`));
  const claims = fc.uniqueArray(
    fc.oneof(
      authority,
      authority.map((one) => `*.${one}`),
      fc.constant("*"),
    ),
    { maxLength: 8, selector: (claim) => claim.toLowerCase() },
  );
  fc.assert(
    fc.property(claims, authority, (claims, authority) => {
      expect(found(claims, authority)).toBe(naive(claims, authority));
    }),
    { numRuns: 10_000 },
  );
});

/** Looks at every claim. */
function naive(claims: readonly string[], authority: string): string | null {
  const lower = authority.toLowerCase();
  const host = lower.replace(/:[^:\]]*$/, "");
  const fits = (suffix: string) => host.endsWith(suffix) || lower.endsWith(suffix);
  const suffixes = claims
    .filter((claim) => claim.startsWith("*.") && fits(claim.slice(1).toLowerCase()))
    .sort((one, other) => other.length - one.length);
  return (
    claims.find((claim) => claim.toLowerCase() === lower) ??
    claims.find((claim) => claim.toLowerCase() === host) ??
    suffixes[0] ??
    claims.find((claim) => claim === "*") ??
    null
  );
}
