import { generateKeyPairSync, type KeyPairKeyObjectResult, X509Certificate } from "node:crypto";
import { afterEach, describe, expect, test, vi } from "vitest";
import {
  type CertificateWish,
  CLIENT_AUTH,
  extension,
  HOUR,
  type IssuedCertificate,
  intermediate,
  issue,
  leaf,
  NOW,
  root,
  SERVER_AUTH,
} from "../../test/authority.ts";
import { integer, sequence } from "../../test/der-writer.ts";
import { compileSpiffeIdMatcher, type SpiffeIdMatcher } from "./names/spiffe-id-matcher.ts";
import { readTrustBundle, type TrustBundle, type TrustBundles, trustBundles } from "./trust-bundles.ts";
import { type PeerQuestion, type PeerVerdict, peerVerifier } from "./verify-peer.ts";

const ID = "spiffe://shop.example/ns/shop/sa/web";
const shop = root("shop root");
const bank = root("bank root");
const middle = intermediate(shop, "shop middle");
const web = leaf(middle, ID);

function bundle(trustDomain: string, ...roots: readonly IssuedCertificate[]): TrustBundle {
  const result = readTrustBundle(trustDomain, [{ text: roots.map((each) => each.pem).join(""), from: trustDomain }]);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

const bundles = trustBundles([bundle("shop.example", shop), bundle("bank.example", bank)]);

function matcher(pattern: string): SpiffeIdMatcher {
  const result = compileSpiffeIdMatcher(pattern);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

function question(presented: readonly IssuedCertificate[], other: Partial<PeerQuestion> = {}): PeerQuestion {
  return { presented: presented.map((each) => each.der), bundles, nowMs: NOW, purpose: "server", expected: null, ...other };
}

const verify = (presented: readonly IssuedCertificate[], other: Partial<PeerQuestion> = {}): PeerVerdict =>
  peerVerifier().verify(question(presented, other));

function words(verdict: PeerVerdict): string {
  return verdict.ok ? `accepted ${verdict.peer.id.text}` : `${verdict.code}: ${verdict.reason}`;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("who a peer is", () => {
  test("is the ID of its leaf, with who signed it and until when", () => {
    expect(verify([web, middle])).toEqual({
      ok: true,
      peer: {
        id: { text: ID, trustDomain: "shop.example", path: "/ns/shop/sa/web" },
        serial: new X509Certificate(web.der).serialNumber,
        fingerprint: new X509Certificate(web.der).fingerprint256.replaceAll(":", "").toLowerCase(),
        signedBy: ['"CN=shop middle"', '"CN=shop root"'],
        notAfterMs: NOW + HOUR,
      },
    });
  });

  test("is found with intermediates in any order, several deep, with the root and strangers among them", () => {
    const lower = intermediate(middle, "lower");
    const deep = leaf(lower, ID);
    for (const chain of [
      [deep, lower, middle],
      [deep, middle, lower],
      [deep, bank, shop, middle, lower, lower],
    ])
      expect(words(verify(chain))).toBe(`accepted ${ID}`);
  });

  test("is found over a root that was cross-signed by the new one, while both are known or the new one alone", () => {
    const fresh = root("fresh root");
    const crossed = issue(fresh, {
      subject: "shop root",
      isAuthority: true,
      keyUsage: [5],
      publicKey: publicKeyOf(shop),
      extendedKeyUsage: null,
    });
    const freshOnly = trustBundles([bundle("shop.example", fresh)]);
    const both = trustBundles([bundle("shop.example", shop, fresh)]);
    expect(words(verify([web, middle, crossed], { bundles: freshOnly }))).toBe(`accepted ${ID}`);
    expect(words(verify([web, middle, crossed], { bundles: both }))).toBe(`accepted ${ID}`);
    expect(words(verify([web, middle], { bundles: freshOnly }))).toContain("untrusted");
  });

  test("is valid no longer than the shortest life on its path", () => {
    const brief = intermediate(shop, "brief", { notAfterMs: NOW + 5_000 });
    expect(verify([leaf(brief, ID), brief])).toMatchObject({ ok: true, peer: { notAfterMs: NOW + 5_000 } });
  });

  test("may be signed with SHA-384, and under a root that signed itself with SHA-1, which nobody checks", () => {
    expect(words(verify([leaf(shop, ID, { hash: "sha384" })]))).toBe(`accepted ${ID}`);
    const old = root("old root", { hash: "sha1" });
    expect(words(verify([leaf(old, ID)], { bundles: trustBundles([bundle("shop.example", old)]) }))).toBe(`accepted ${ID}`);
  });

  test("may be signed by an RSA key of 2048 bits or a larger curve, and by no weaker one", () => {
    const verdictOf = (keys: KeyPairKeyObjectResult) => {
      const authority = root("strong or weak", { keys });
      return words(verify([leaf(authority, ID)], { bundles: trustBundles([bundle("shop.example", authority)]) }));
    };
    expect(verdictOf(generateKeyPairSync("rsa", { modulusLength: 2048 }))).toBe(`accepted ${ID}`);
    expect(verdictOf(generateKeyPairSync("ec", { namedCurve: "P-384" }))).toBe(`accepted ${ID}`);
    expect(verdictOf(generateKeyPairSync("rsa", { modulusLength: 1024 }))).toContain("a key that is too weak");
    expect(verdictOf(generateKeyPairSync("ec", { namedCurve: "secp224r1" }))).toContain("a key that is too weak");
  });

  test("may be a client too, if its certificate says so", () => {
    expect(words(verify([web, middle], { purpose: "client" }))).toBe(`accepted ${ID}`);
    const server = leaf(shop, ID, { extendedKeyUsage: [SERVER_AUTH] });
    expect(words(verify([server]))).toBe(`accepted ${ID}`);
    expect(words(verify([server], { purpose: "client" }))).toContain("may not be used by a TLS client");
    const narrow = intermediate(shop, "narrow", { extendedKeyUsage: [CLIENT_AUTH] });
    expect(words(verify([leaf(narrow, ID), narrow]))).toContain('"CN=narrow"');
    expect(words(verify([leaf(shop, ID, { extendedKeyUsage: null })]))).toBe(`accepted ${ID}`);
  });
});

function publicKeyOf({ der }: IssuedCertificate): X509Certificate["publicKey"] {
  return new X509Certificate(der).publicKey;
}

describe("a peer is refused", () => {
  test.each<[string, readonly IssuedCertificate[], string]>([
    ["without a certificate", [], "no_certificate: the peer presented no certificate"],
    [
      "with more than ten",
      [web, middle, ...Array.from({ length: 9 }, () => bank)],
      "too_many_certificates: the peer presented 11 certificates, expected at most 10",
    ],
    [
      "without its intermediate",
      [web],
      'untrusted: the certificate of spiffe://shop.example/ns/shop/sa/web, issued by "CN=shop middle", has no path to a root of shop.example: no root and no presented certificate is "CN=shop middle"',
    ],
    [
      "of an unknown trust domain",
      [leaf(shop, "spiffe://evil.example/x")],
      'unknown_trust_domain: the certificate of spiffe://evil.example/x, issued by "CN=shop root", is of a trust domain without a bundle here; known are shop.example, bank.example',
    ],
    ["whose ID another trust domain's authority signed", [leaf(bank, ID)], 'it was signed by "CN=bank root" (serial'],
    [
      "whose ID another trust domain's intermediate signed",
      chainOf(intermediate(bank, "shop middle")),
      "a root of bank.example, which may not name shop.example",
    ],
    ["that signed itself", [issue(null, { subject: "shop root", uris: [ID] })], "did not sign"],
    ["that brings its own root", chainOf(root("mine")), "untrusted: "],
    ["that brings a root with our root's name", chainOf(root("shop root")), "did not sign"],
    ["that brings an intermediate with our intermediate's name", chainOf(intermediate(root("shop root"), "shop middle")), "did not sign"],
    [
      "signed by another leaf",
      chainOf(leaf(shop, "spiffe://shop.example/attacker", { subject: "attacker" })),
      "is no authority (CA:FALSE)",
    ],
    ["signed with another key than its issuer's", [leaf(shop, ID, { signedBy: web.privateKey })], '"CN=shop root" (serial'],
    [
      "that has expired",
      [leaf(shop, ID, { notAfterMs: NOW - 1_000 })],
      'not_valid_now: the certificate of spiffe://shop.example/ns/shop/sa/web, issued by "CN=shop root", expired 2026-01-15T11:59:59Z',
    ],
    ["that is not valid yet", [leaf(shop, ID, { notBeforeMs: NOW + 1_000 })], "not_valid_now: "],
    ["over an intermediate that has expired", chainOf(intermediate(shop, "old", { notAfterMs: NOW - 1_000 })), '"CN=old" (serial'],
    [
      "over an intermediate that is not valid yet",
      chainOf(intermediate(shop, "early", { notBeforeMs: NOW + 1_000 })),
      "is not valid before",
    ],
    ["over an intermediate that may not sign", chainOf(intermediate(shop, "no sign", { keyUsage: [0] })), "key usage without keyCertSign"],
    [
      "over an intermediate with constrained names",
      chainOf(intermediate(shop, "narrow", constrained())),
      "extensions that are not understood here: 2.5.29.30",
    ],
    [
      "over an intermediate with an unknown critical extension",
      chainOf(intermediate(shop, "odd", { extensions: [extension("1.2.3.4", true, integer(1))] })),
      "1.2.3.4",
    ],
    ["over too many intermediates", tooDeep(), "allows 0 intermediates below it, found 1"],
    [
      "signed with SHA-1",
      [leaf(shop, ID, { hash: "sha1" })],
      "with algorithm 1.2.840.10045.4.1, expected ECDSA or RSA with SHA-256 or better",
    ],
    ["over an intermediate signed with SHA-1", chainOf(intermediate(shop, "weak", { hash: "sha1" })), "with algorithm 1.2.840.10045.4.1"],
    ["with CA:TRUE", [leaf(shop, ID, { isAuthority: true })], "not_an_svid: "],
    ["with a second URI", [leaf(shop, ID, { uris: [ID, "spiffe://shop.example/admin"] })], "names 2 URIs"],
    ["with a DNS name that looks like an ID", [issue(shop, { dnsNames: [`x, URI:${ID}`, ID] })], "names no URI"],
    ["without digitalSignature", [leaf(shop, ID, { keyUsage: [2] })], "expected digitalSignature"],
    ["with an unknown critical extension", [leaf(shop, ID, { extensions: [extension("1.2.3.4", true, integer(1))] })], "not_an_svid: "],
    ["with an extension twice", [leaf(shop, ID, { extensions: [extension("2.5.29.19", true, sequence())] })], "malformed_certificate: "],
  ])("%s", (_, presented, expected) => {
    const verdict = verify(presented);
    expect(verdict.ok).toBe(false);
    expect(words(verdict)).toContain(expected);
  });

  test("with what is no certificate, first or later", () => {
    expect(words(peerVerifier().verify({ ...question([]), presented: [Buffer.from("x")] }))).toContain("malformed_certificate");
    expect(words(peerVerifier().verify({ ...question([]), presented: [new Uint8Array()] }))).toContain("malformed_certificate");
    const later = { ...question([]), presented: [web.der, middle.der, Buffer.from("x")] };
    expect(words(peerVerifier().verify(later))).toContain(`malformed_certificate: certificate 3 that ${ID} presented`);
  });

  test("whose root has expired, though nothing else has", () => {
    const old = root("old root", { notAfterMs: NOW - 1_000 });
    expect(words(verify([leaf(old, ID)], { bundles: trustBundles([bundle("shop.example", old)]) }))).toContain('"CN=old root"');
  });

  test("at a time that is no number", () => {
    for (const nowMs of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      expect(verify([web, middle], { nowMs }).ok).toBe(false);
  });

  test("without any bundle", () => {
    expect(words(verify([web, middle], { bundles: trustBundles([]) }))).toContain("known are none");
  });

  test("where its root's path length is used up", () => {
    const flat = root("flat", { pathLength: 0 });
    const below = intermediate(flat, "below");
    const flatBundles = trustBundles([bundle("shop.example", flat)]);
    expect(words(verify([leaf(flat, ID)], { bundles: flatBundles }))).toBe(`accepted ${ID}`);
    expect(words(verify([leaf(below, ID), below], { bundles: flatBundles }))).toContain("allows 0 intermediates below it, found 1");
  });
});

function chainOf(issuer: IssuedCertificate): readonly IssuedCertificate[] {
  return [leaf(issuer, ID), issuer];
}

function constrained(): CertificateWish {
  return { extensions: [extension("2.5.29.30", false, sequence())] };
}

function tooDeep(): readonly IssuedCertificate[] {
  const upper = intermediate(shop, "upper", { pathLength: 0 });
  const lower = intermediate(upper, "lower");
  return [leaf(lower, ID), lower, upper];
}

describe("whom is expected", () => {
  test("one match is enough, none names who came, who signed and who was allowed", () => {
    expect(
      words(verify([web, middle], { expected: [matcher("spiffe://shop.example/other"), matcher("spiffe://shop.example/ns/shop/*")] })),
    ).toBe(`accepted ${ID}`);
    expect(
      words(verify([web, middle], { expected: [matcher("spiffe://shop.example/ns/shop/sa/db"), matcher("spiffe://bank.example/*")] })),
    ).toBe(
      `unexpected_id: the peer is ${ID}, signed by "CN=shop middle", then "CN=shop root"; expected spiffe://shop.example/ns/shop/sa/db, spiffe://bank.example/*`,
    );
  });

  test("an empty list is nobody", () => {
    expect(words(verify([web, middle], { expected: [] }))).toContain("expected nobody");
  });

  test("a long list is cut short", () => {
    const expected = Array.from({ length: 100 }, (_, index) => matcher(`spiffe://shop.example/s${index}`));
    expect(words(verify([web, middle], { expected }))).toContain("/s4 and 95 more");
  });
});

describe("what is remembered", () => {
  const counted = () => vi.spyOn(X509Certificate.prototype, "verify");

  test("a leaf that was found good costs no signature check again, nor its intermediates", () => {
    const verifier = peerVerifier();
    verifier.verify(question([web, middle]));
    const checks = counted();
    expect(verifier.verify(question([web])).ok).toBe(true);
    expect(checks).not.toHaveBeenCalled();
  });

  test("is looked at for its life each time, the path's as well as the leaf's", () => {
    const brief = intermediate(shop, "brief", { notBeforeMs: NOW - 5_000, notAfterMs: NOW + 5_000 });
    const chain = [leaf(brief, ID), brief];
    const verifier = peerVerifier();
    expect(verifier.verify(question(chain)).ok).toBe(true);
    expect(words(verifier.verify(question(chain, { nowMs: NOW + 5_001 })))).toContain("expired");
    expect(verifier.verify(question(chain, { nowMs: NOW - 5_001 })).ok).toBe(false);
    expect(verifier.verify(question(chain, { nowMs: Number.NaN })).ok).toBe(false);
    expect(verifier.verify(question(chain)).ok).toBe(true);
  });

  test("is forgotten when the bundle of its trust domain changes or goes, and not when another's does", () => {
    const verifier = peerVerifier();
    const verdict = (given: TrustBundles, presented = [web, middle]) => verifier.verify(question(presented, { bundles: given })).ok;
    expect(verdict(bundles)).toBe(true);
    expect(verdict(trustBundles([bundle("shop.example", bank)]))).toBe(false);
    expect(verdict(bundles)).toBe(true);
    expect(verdict(trustBundles([]))).toBe(false);
    expect(verdict(bundles)).toBe(true);
    const checks = counted();
    expect(verdict(trustBundles([bundle("shop.example", shop), bundle("bank.example", shop)]), [web])).toBe(true);
    expect(checks).not.toHaveBeenCalled();
  });

  test("decides neither whom is expected nor another purpose", () => {
    const verifier = peerVerifier();
    const server = leaf(shop, ID, { extendedKeyUsage: [SERVER_AUTH] });
    expect(verifier.verify(question([server])).ok).toBe(true);
    expect(verifier.verify(question([server], { expected: [matcher("spiffe://shop.example/db")] })).ok).toBe(false);
    expect(verifier.verify(question([server], { purpose: "client" })).ok).toBe(false);
  });

  test("is bounded, and drops what was not used for longest", () => {
    const verifier = peerVerifier({ maxRemembered: 2 });
    const [a, b, c] = [leaf(shop, ID), leaf(shop, ID), leaf(shop, ID)] as const;
    for (const each of [a, b, a, c]) expect(verifier.verify(question([each])).ok).toBe(true);
    expect(verifier.remembered).toBe(2);
    const checks = counted();
    verifier.verify(question([a]));
    expect(checks).not.toHaveBeenCalled();
    verifier.verify(question([b]));
    expect(checks).toHaveBeenCalled();
  });

  test("is nothing of those that were refused, who may come again with their intermediates", () => {
    const verifier = peerVerifier();
    expect(verifier.verify(question([web])).ok).toBe(false);
    expect(verifier.remembered).toBe(0);
    expect(verifier.verify(question([web, middle])).ok).toBe(true);
  });
});

describe("the work for a stranger", () => {
  test("is bounded where nine authorities of one name lead everywhere and nowhere", () => {
    const loop = root("loop");
    const crowd = Array.from({ length: 9 }, () =>
      issue(loop, { subject: "loop", isAuthority: true, keyUsage: [5], publicKey: publicKeyOf(loop), extendedKeyUsage: null }),
    );
    const checks = vi.spyOn(X509Certificate.prototype, "verify");
    expect(verify([leaf(loop, ID), ...crowd]).ok).toBe(false);
    expect(checks.mock.calls.length).toBeLessThanOrEqual(90);
  });
});
