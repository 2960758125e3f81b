import { describe, expect, test } from "vitest";
import { HOUR, intermediate, leaf, NOW, root } from "../../test/authority.ts";
import { expiredRoots, readTrustBundle, type TrustBundle, trustBundleFromDer, trustBundles } from "./trust-bundles.ts";

const one = root("one");
const two = root("two");

const reading = (trustDomain: string, ...texts: readonly string[]) =>
  readTrustBundle(
    trustDomain,
    texts.map((text, index) => ({ text, from: `ca${index + 1}.crt` })),
  );

function bundle(trustDomain: string, ...texts: readonly string[]): TrustBundle {
  const result = reading(trustDomain, ...texts);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

describe("readTrustBundle", () => {
  test("reads one PEM or several, without duplicates, by name or ID of the trust domain", () => {
    const both = bundle("spiffe://shop.example", `# comment\n${one.pem}${two.pem}`, one.pem);
    expect(both.trustDomain).toBe("shop.example");
    expect(both.roots.map((each) => each.der)).toEqual([one.der, two.der]);
  });

  test("has the same version for the same roots in any order, and another for others or another trust domain", () => {
    const version = bundle("a", one.pem, two.pem).version;
    expect(bundle("a", two.pem + one.pem + two.pem).version).toBe(version);
    expect(bundle("a", one.pem).version).not.toBe(version);
    expect(bundle("b", one.pem, two.pem).version).not.toBe(version);
  });

  test.each<[string, readonly string[], string]>([
    ["nothing", [], "has no certificate"],
    ["an empty file", [one.pem, ""], "ca2.crt holds no certificate"],
    ["a file cut short", [one.pem.slice(0, 90)], "ca1.crt:1"],
    ["a private key", [one.pem + one.keyPem], "found PRIVATE KEY, expected a bundle to hold certificates alone"],
    ["a leaf", [leaf(one, "spiffe://a/b").pem], "is no authority (CA:FALSE), expected a root"],
    ["an authority that may not sign", [root("no sign", { keyUsage: [0] }).pem], "may not sign certificates"],
  ])("refuses %s", (_, texts, expected) => {
    expect(reading("a", ...texts)).toMatchObject({ ok: false, reason: expect.stringContaining(expected) });
  });

  test("refuses a trust domain that is none", () => {
    for (const wrong of ["", "A", "a/b", "spiffe://a/b", "*"]) expect(reading(wrong, one.pem).ok, wrong).toBe(false);
  });

  test("takes an intermediate as an anchor, as SPIFFE allows", () => {
    expect(bundle("a", intermediate(one, "below").pem).roots).toHaveLength(1);
  });

  test("keeps expired roots and reports them with their names", () => {
    const mixed = bundle("a", one.pem + root("old", { notAfterMs: NOW - HOUR }).pem + root("early", { notBeforeMs: NOW + HOUR / 2 }).pem);
    expect(mixed.roots).toHaveLength(3);
    expect(expiredRoots(mixed, NOW)).toEqual([
      expect.stringMatching(/^root "CN=old" \(serial \w+\) of trust domain a expired 2026-01-15T11:00:00Z$/),
      expect.stringMatching(/^root "CN=early" .* is not valid before 2026-01-15T12:30:00Z$/),
    ]);
    expect(expiredRoots(mixed, NOW + 2 * HOUR)).toHaveLength(3);
  });
});

describe("trustBundleFromDer", () => {
  test("reads roots one behind the other and refuses half of one", () => {
    const both = Buffer.concat([one.der, two.der]);
    expect(trustBundleFromDer("a", both, "the Workload API")).toMatchObject({
      ok: true,
      value: { version: bundle("a", one.pem + two.pem).version },
    });
    expect(trustBundleFromDer("a", both.subarray(0, -1), "the Workload API")).toMatchObject({
      reason: expect.stringContaining("the Workload API: certificate 2"),
    });
    expect(trustBundleFromDer("a", Buffer.alloc(0), "the Workload API").ok).toBe(false);
  });
});

describe("trustBundles", () => {
  test("unchanged content is the same object, whole and by trust domain", () => {
    const first = trustBundles([bundle("a", one.pem, two.pem), bundle("b", two.pem)]);
    expect(trustBundles([bundle("b", two.pem), bundle("a", two.pem, one.pem)], first)).toBe(first);
    const changed = trustBundles([bundle("a", one.pem, two.pem), bundle("b", one.pem)], first);
    expect(changed).not.toBe(first);
    expect(changed.version).not.toBe(first.version);
    expect(changed.byTrustDomain.get("a")).toBe(first.byTrustDomain.get("a"));
    expect(changed.byTrustDomain.get("b")).not.toBe(first.byTrustDomain.get("b"));
  });

  test("is a full replacement: what is not given is not there", () => {
    const first = trustBundles([bundle("a", one.pem), bundle("b", two.pem)]);
    const next = trustBundles([bundle("a", one.pem)], first);
    expect([...next.byTrustDomain.keys()]).toEqual(["a"]);
    expect(next.version).not.toBe(first.version);
  });

  test("joins two bundles of one trust domain, old roots and new ones", () => {
    const joined = trustBundles([bundle("a", one.pem), bundle("a", two.pem, one.pem)]);
    expect(joined.byTrustDomain.get("a")?.version).toBe(bundle("a", one.pem, two.pem).version);
  });
});
