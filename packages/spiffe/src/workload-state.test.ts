import type { CertificateState } from "@heddle/core";
import { compileSpiffeIdMatcher } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { HOUR, intermediate, leaf, NOW, root } from "../../core/test/authority.ts";
import { keyOf, sentSvid, WEB } from "../test/fake-agent.ts";
import { encodeMessage, type SentMessage } from "../test/workload-encoder.ts";
import { readWorkloadSvids } from "./workload-messages.ts";
import { readState, type SvidChoice } from "./workload-state.ts";

const shop = root("shop");
const partner = root("partner");
const PARTNER = "spiffe://partner.example";

function choiceOf({ id, hint }: { readonly id?: string; readonly hint?: string }): SvidChoice {
  const matcher = id === undefined ? null : compileSpiffeIdMatcher(id);
  if (matcher?.ok === false) throw new Error(matcher.reason);
  return { id: matcher === null ? null : matcher.value, hint: hint ?? null };
}

function reading(message: SentMessage, choice: SvidChoice = choiceOf({}), previous: CertificateState | null = null) {
  const svids = readWorkloadSvids(encodeMessage(message));
  if (!svids.ok) throw new Error(svids.reason);
  return readState(svids.value, choice, previous, NOW);
}

function stateOf(...given: Parameters<typeof reading>): CertificateState {
  const result = reading(...given);
  if (!result.ok) throw new Error(result.reason);
  expect(result.value.problems).toEqual([]);
  return result.value.state;
}

const reasonOf = (...given: Parameters<typeof reading>): string => {
  const result = reading(...given);
  return result.ok ? "accepted" : result.reason;
};
const domainsOf = ({ bundles }: CertificateState) =>
  [...bundles.byTrustDomain].map(([name, { roots }]) => [name, ...roots.map((each) => each.fingerprint)]).sort();
const fingerprintsOf = (bundle: Parameters<typeof reading>[0]) => domainsOf(stateOf(bundle));

describe("which SVID", () => {
  const svids = [
    sentSvid(shop, WEB, { hint: "internal" }),
    sentSvid(shop, "spiffe://shop.example/ns/a/web", { hint: "external" }),
    sentSvid(shop, "spiffe://shop.example/ns/a/api", { hint: "external" }),
  ];

  test.each([
    [{}, WEB],
    [{ hint: "internal" }, WEB],
    [{ hint: "external" }, "spiffe://shop.example/ns/a/web"],
    [{ id: "spiffe://shop.example/ns/a/api" }, "spiffe://shop.example/ns/a/api"],
    [{ id: "spiffe://shop.example/ns/*" }, "spiffe://shop.example/ns/a/web"],
    [{ id: "spiffe://shop.example/ns/a/api", hint: "external" }, "spiffe://shop.example/ns/a/api"],
  ] as const)("%j is the first that fits", (wanted, id) => {
    expect(stateOf({ svids }, choiceOf(wanted)).certificate.id.text).toBe(id);
  });

  test("names what was wanted and what there is where none fits", () => {
    expect(reasonOf({ svids }, choiceOf({ id: "spiffe://shop.example/ns/a/api", hint: "internal" }))).toBe(
      'no SVID has the hint "internal" and an ID that is "spiffe://shop.example/ns/a/api"; issued are "spiffe://shop.example/web" (hint "internal"), ' +
        '"spiffe://shop.example/ns/a/web" (hint "external"), "spiffe://shop.example/ns/a/api" (hint "external")',
    );
  });

  test("does not look at what is in the SVIDs of others", () => {
    const broken = { ...sentSvid(shop, "spiffe://shop.example/broken"), chain: Buffer.from("no certificate") };
    expect(stateOf({ svids: [sentSvid(shop), broken] }).certificate.id.text).toBe(WEB);
    expect(reasonOf({ svids: [broken, sentSvid(shop)] })).toContain('the SVID "spiffe://shop.example/broken": certificate 1 is no DER');
  });
});

describe("what belongs together", () => {
  test("reads a chain with an intermediate, its key and the roots, old and new together", () => {
    const middle = intermediate(shop, "middle");
    const issued = leaf(middle, WEB);
    const next = root("next");
    const svid = {
      spiffeId: WEB,
      chain: Buffer.concat([issued.der, middle.der]),
      key: keyOf(issued),
      bundle: Buffer.concat([shop.der, next.der]),
    };
    const { certificate, bundles } = stateOf({ svids: [svid] });
    expect(certificate.chain.map((der) => Buffer.from(der))).toEqual([issued.der, middle.der]);
    expect(certificate.privateKey.equals(issued.privateKey)).toBe(true);
    expect(bundles.byTrustDomain.get("shop.example")?.roots).toHaveLength(2);
  });

  test.each([
    ["the key of another certificate", { key: keyOf(leaf(shop, WEB)) }, "the private key does not belong to the certificate"],
    ["a key that is none", { key: Buffer.from("no key") }, "PRIVATE KEY cannot be read"],
    ["a certificate of another ID", { spiffeId: "spiffe://shop.example/other" }, `has a certificate of ${WEB}, expected one of its own ID`],
    ["roots that did not sign it", { bundle: partner.der }, "expected the roots of the certificate's own authority"],
    ["a bundle that is cut short", { bundle: shop.der.subarray(0, -1) }, "the bundle of the SVID"],
    ["a bundle of a leaf", { bundle: leaf(shop, WEB).der }, "is no authority"],
    ["PEM for DER", { chain: Buffer.from(shop.pem) }, "certificate 1 is no DER"],
  ])("refuses %s", (_, and, reason) => {
    expect(reasonOf({ svids: [sentSvid(shop, WEB, and)] })).toContain(reason);
  });

  test("refuses a certificate that has expired, and one of a trust domain", () => {
    expect(reasonOf({ svids: [sentSvid(shop, WEB, {}, { notAfterMs: NOW - 1_000 })] })).toContain("expired 2026-01-15T11:59:59Z");
    expect(reasonOf({ svids: [sentSvid(shop, "spiffe://shop.example")] })).toContain("expected a workload's ID with a path");
  });

  test.each(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"])("takes a certificate for one side alone: %s", (usage) => {
    expect(stateOf({ svids: [sentSvid(shop, WEB, {}, { extendedKeyUsage: [usage] })] }).certificate.id.text).toBe(WEB);
  });

  test("does not tell a key", () => {
    const key = keyOf(leaf(shop, WEB));
    for (const and of [{ key }, { key: key.subarray(0, 60) }, { chain: key }, { bundle: key }])
      expect(reasonOf({ svids: [sentSvid(shop, WEB, and)] })).not.toMatch(/[A-Za-z0-9+/]{40}|[0-9a-f]{40}/);
  });
});

describe("bundles of other trust domains", () => {
  const svids = [sentSvid(shop)];

  test("are those of federation and of other SVIDs, of each trust domain by itself", () => {
    const bank = root("bank");
    const message = {
      svids: [...svids, sentSvid(bank, "spiffe://bank.example/web")],
      federated: { [PARTNER]: Buffer.concat([partner.der, root("partner 2").der]) },
    };
    const { bundles } = stateOf(message);
    expect([...bundles.byTrustDomain].map(([name, { roots }]) => [name, roots.length])).toEqual([
      ["shop.example", 1],
      ["bank.example", 1],
      ["partner.example", 2],
    ]);
  });

  test("never add a root to our own trust domain", () => {
    const own = fingerprintsOf({ svids });
    expect(fingerprintsOf({ svids, federated: { "spiffe://shop.example": partner.der } })).toEqual(own);
    expect(fingerprintsOf({ svids: [...svids, sentSvid(partner, "spiffe://shop.example/other")] })).toEqual(own);
    // Nor where the other one comes first.
    const chosen = [sentSvid(partner, "spiffe://shop.example/other"), sentSvid(shop, WEB, { hint: "mine" })];
    expect(domainsOf(stateOf({ svids: chosen }, choiceOf({ hint: "mine" })))).toEqual(own);
  });

  test("are gone with the message that does not name them, or names them empty", () => {
    const before = stateOf({ svids, federated: { [PARTNER]: partner.der } });
    for (const federated of [{}, { [PARTNER]: Buffer.alloc(0) }])
      expect([...stateOf({ svids, federated }, choiceOf({}), before).bundles.byTrustDomain.keys()]).toEqual(["shop.example"]);
  });

  test("stay as before, and are reported, where they cannot be read, while our own certificate is renewed", () => {
    const before = stateOf({ svids, federated: { [PARTNER]: partner.der } });
    const renewed = { svids: [sentSvid(shop)], federated: { [PARTNER]: Buffer.from("garbage") } };
    const result = reading(renewed, choiceOf({}), before);
    expect(result).toMatchObject({
      ok: true,
      value: { problems: [expect.stringMatching(/^the bundle of partner\.example.*; the one before stays in force$/)] },
    });
    if (!result.ok) return;
    expect(result.value.state.certificate).not.toBe(before.certificate);
    expect(result.value.state.bundles).toBe(before.bundles);
    const first = reading(renewed);
    expect(first).toMatchObject({ value: { problems: [expect.stringContaining("nobody of partner.example can be verified")] } });
    expect(first.ok && [...first.value.state.bundles.byTrustDomain.keys()]).toEqual(["shop.example"]);
  });

  test("of a name that is none are left out, and reported", () => {
    expect(reading({ svids, federated: { "spiffe://Partner.example/x": partner.der } })).toMatchObject({
      ok: true,
      value: { problems: [expect.stringContaining('a federated bundle is left out: trust domain "spiffe://Partner.example/x"')] },
    });
  });
});

test("what did not change is the same object", () => {
  const svid = sentSvid(shop);
  const federated = { [PARTNER]: partner.der };
  const first = stateOf({ svids: [svid], federated });
  const same = stateOf({ svids: [svid], federated }, choiceOf({}), first);
  expect(same.certificate).toBe(first.certificate);
  expect(same.bundles).toBe(first.bundles);
  const renewed = stateOf({ svids: [sentSvid(shop)], federated }, choiceOf({}), first);
  expect(renewed.certificate).not.toBe(first.certificate);
  expect(renewed.bundles).toBe(first.bundles);
  const alone = stateOf({ svids: [svid] }, choiceOf({}), first);
  expect(alone.certificate).toBe(first.certificate);
  expect(alone.bundles.byTrustDomain.get("shop.example")).toBe(first.bundles.byTrustDomain.get("shop.example"));
  expect(first.certificate.notAfterMs).toBe(NOW + HOUR);
});
