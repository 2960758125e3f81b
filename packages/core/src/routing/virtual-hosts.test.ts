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

test("agrees with the definition for any claims and authorities", () => {
  const label = fc.constantFrom("a", "b", "c");
  const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
  const port = fc.option(fc.constantFrom("80", "81"), { nil: null });
  const authority = fc.tuple(host, port).map(([host, port]) => (port === null ? host : `${host}:${port}`));
  const suffix = host.map((host) => `*.${host}`);
  const claims = fc.uniqueArray(fc.oneof(authority, suffix, fc.constant("*")), { maxLength: 8 });
  fc.assert(
    fc.property(claims, authority, (claims, authority) => {
      expect(found(claims, authority)).toBe(naive(claims, authority));
    }),
    { numRuns: 1_000 },
  );
});

function naive(claims: readonly string[], authority: string): string | null {
  const [host = ""] = authority.split(":");
  const suffixes = claims
    .filter((claim) => claim.startsWith("*.") && host.endsWith(claim.slice(1)))
    .sort((one, other) => other.length - one.length);
  return (
    claims.find((claim) => claim === authority) ??
    claims.find((claim) => claim === host) ??
    suffixes[0] ??
    claims.find((claim) => claim === "*") ??
    null
  );
}
