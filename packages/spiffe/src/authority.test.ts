import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { inspect } from "node:util";
import { parseCertificate, parseSpiffeId, type SpiffeId, trustBundles } from "@heddle/core";
import { describe, expect, test } from "vitest";
import { peerVerifier } from "../../core/src/identity/verify-peer.ts";
import { Authority, newKeyPair } from "./authority.ts";
import { writeCertificateRequest } from "./certificate-request.ts";
import { writePem } from "./pem.ts";

const NOW = Date.UTC(2026, 0, 15, 12, 0, 0, 500);
const HOUR = 3_600_000;
const TRUST_DOMAIN = "shop.example";
const root = Authority.create({ trustDomain: TRUST_DOMAIN, nowMs: NOW, lifetimeMs: 24 * HOUR });
const web = idOf("spiffe://shop.example/web");
const order = { id: web, nowMs: NOW, lifetimeMs: HOUR };

function idOf(text: string): SpiffeId {
  const id = parseSpiffeId(text);
  if (!id.ok) throw new Error(id.reason);
  return id.value;
}

function issuedBy(authority: Authority, given = order) {
  const issued = authority.issue(newKeyPair().publicKey, given);
  if (!issued.ok) throw new Error(issued.reason);
  return issued.value;
}

function parsed(der: Uint8Array | undefined) {
  const certificate = parseCertificate(der ?? new Uint8Array());
  if (!certificate.ok) throw new Error(certificate.reason);
  return certificate.value;
}

function verdict(chain: readonly Uint8Array[], trusted: Authority = root, nowMs = NOW) {
  const bundles = trustBundles([trusted.bundle]);
  return (["server", "client"] as const).map((purpose) =>
    peerVerifier().verify({ presented: chain, bundles, nowMs, purpose, expected: null }),
  );
}

describe("a root", () => {
  const certificate = parsed(root.bundle.roots[0]?.der);

  test("is what X509-SVID demands of one: the trust domain's ID, and the right to sign and nothing else", () => {
    expect(certificate).toMatchObject({ uris: ["spiffe://shop.example"], isAuthority: true, pathLength: null, extendedKeyUsage: null });
    expect([...(certificate.keyUsage ?? [])].sort()).toEqual(["cRLSign", "keyCertSign"]);
    expect(certificate.x509.verify(certificate.publicKey)).toBe(true);
  });

  test("begins a minute before it is made and ends with its life, in whole seconds", () => {
    expect([root.notBeforeMs, root.notAfterMs]).toEqual([NOW - 60_500, NOW - 500 + 24 * HOUR]);
  });

  test("is of a valid trust domain or of none", () => {
    for (const trustDomain of ["", "Shop", "a/b", "a:1"])
      expect(() => Authority.create({ trustDomain, nowMs: NOW, lifetimeMs: HOUR }), trustDomain).toThrow(TypeError);
  });
});

describe("a leaf", () => {
  test("is an X509-SVID: one URI, no authority, digitalSignature, for both sides of TLS, no subject", () => {
    const leaf = parsed(issuedBy(root).chain[0]);
    expect(leaf).toMatchObject({ uris: [web.text], isAuthority: false, pathLength: null, notUnderstood: [] });
    expect([...(leaf.keyUsage ?? [])]).toEqual(["digitalSignature"]);
    expect([...(leaf.extendedKeyUsage ?? [])].sort()).toEqual(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    expect(leaf.subject).toHaveLength(2);
    expect(leaf.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
  });

  test("is accepted by the check of peers, from a root and through intermediates", () => {
    const middle = root.intermediate({ nowMs: NOW, lifetimeMs: HOUR });
    for (const authority of [root, middle])
      for (const each of verdict(issuedBy(authority).chain)) expect(each).toMatchObject({ ok: true, peer: { id: web } });
    expect(issuedBy(middle).chain).toHaveLength(2);
    expect(verdict(issuedBy(middle).chain.slice(0, 1))).toMatchObject([{ code: "untrusted" }, { code: "untrusted" }]);
  });

  test("ends with its life or with its authority, whichever is first, and begins a minute back but not before its authority", () => {
    const { notBeforeMs, notAfterMs } = issuedBy(root, { ...order, nowMs: NOW + HOUR });
    expect([notBeforeMs, notAfterMs]).toEqual([NOW + HOUR - 60_500, NOW + 2 * HOUR - 500]);
    expect(issuedBy(root, { ...order, lifetimeMs: 48 * HOUR }).notAfterMs).toBe(root.notAfterMs);
    expect(issuedBy(root, { ...order, nowMs: root.notBeforeMs + 1_000 }).notBeforeMs).toBe(root.notBeforeMs);
    const middle = root.intermediate({ nowMs: NOW, lifetimeMs: 48 * HOUR });
    expect(middle.notAfterMs).toBe(root.notAfterMs);
  });

  test("has a serial number of 128 random bits, positive, another one each time", () => {
    const serials = Array.from({ length: 64 }, () => BigInt(`0x${parsed(issuedBy(root).chain[0]).serial}`));
    expect(new Set(serials).size).toBe(64);
    expect(serials.every((serial) => serial > 0n && serial < 2n ** 128n)).toBe(true);
    // Of 64 random numbers every one of the upper 8 bits is set in some and clear in others, but once in 2^60.
    for (let bit = 120n; bit < 128n; bit += 1n) {
      expect(serials.some((serial) => (serial >> bit) & 1n)).toBe(true);
      expect(serials.every((serial) => (serial >> bit) & 1n)).toBe(false);
    }
  });

  test("is never for another trust domain, nor for the trust domain itself", () => {
    const { publicKey } = newKeyPair();
    for (const id of ["spiffe://other.example/web", "spiffe://shop.example"])
      expect(() => root.issue(publicKey, { ...order, id: idOf(id) }), id).toThrow(/cannot issue for/);
  });

  test("is not issued before or after the authority's life", () => {
    const { publicKey } = newKeyPair();
    for (const nowMs of [root.notBeforeMs - 1, root.notAfterMs, Number.NaN])
      expect(root.issue(publicKey, { ...order, nowMs })).toMatchObject({ ok: false, reason: expect.stringContaining("is valid from") });
  });

  test("can be written for years that UTCTime cannot hold", () => {
    const late = Date.UTC(2060, 0, 1);
    const future = Authority.create({ trustDomain: TRUST_DOMAIN, nowMs: late, lifetimeMs: HOUR });
    const issued = issuedBy(future, { ...order, nowMs: late });
    expect(parsed(issued.chain[0]).notBeforeMs).toBe(late - 60_000);
    expect(verdict(issued.chain, future, late)).toMatchObject([{ ok: true }, { ok: true }]);
  });
});

describe("a certificate request", () => {
  test("gets a certificate for its key, and for the ID that the authority decides, whatever it asks for", () => {
    const keys = newKeyPair();
    const issued = root.issueFor(writeCertificateRequest(keys, "spiffe://shop.example/admin"), order);
    if (!issued.ok) throw new Error(issued.reason);
    const leaf = parsed(issued.value.chain[0]);
    expect(leaf.uris).toEqual([web.text]);
    expect(leaf.x509.checkPrivateKey(keys.privateKey)).toBe(true);
  });

  test("is refused unless it is signed with the key that it is for", () => {
    const request = writeCertificateRequest({ privateKey: newKeyPair().privateKey, publicKey: newKeyPair().publicKey });
    expect(root.issueFor(request, order)).toMatchObject({ ok: false, reason: expect.stringContaining("not signed with the key") });
  });

  test("is refused once any byte of it is another", () => {
    const request = writeCertificateRequest(newKeyPair(), web.text);
    for (let at = 0; at < request.length; at += 1) {
      for (const by of [1, -1]) {
        const changed = Buffer.from(request);
        changed[at] = ((changed[at] ?? 0) + by) & 0xff;
        expect(root.issueFor(changed, order).ok, `byte ${at} by ${by}`).toBe(false);
      }
    }
  });

  test.each([
    ["nothing", Buffer.alloc(0)],
    ["no ASN.1", Buffer.from("hello")],
    ["a certificate", root.bundle.roots[0]?.der ?? Buffer.alloc(0)],
    ["half of one", writeCertificateRequest(newKeyPair()).subarray(0, 60)],
    ["something behind it", Buffer.concat([writeCertificateRequest(newKeyPair()), Buffer.from([0])])],
    ["one that is too large", Buffer.alloc(20_000, 0x30)],
    ["a key of another kind", writeCertificateRequest(generateKeyPairSync("ec", { namedCurve: "secp256k1" }))],
  ])("is refused if it is %s", (_, request) => {
    expect(root.issueFor(request, order).ok).toBe(false);
  });
});

describe("Authority.read", () => {
  const other = Authority.create({ trustDomain: TRUST_DOMAIN, nowMs: NOW, lifetimeMs: HOUR });
  const reading = (roots: string, key: string) => Authority.read({ text: roots, from: "ca.crt" }, { text: key, from: "ca.key" });

  test("reads what it wrote, and signs with the key", () => {
    const again = reading(root.bundlePem(), root.keyPem());
    if (!again.ok) throw new Error(again.reason);
    expect(again.value.trustDomain).toBe(TRUST_DOMAIN);
    expect(verdict(issuedBy(again.value).chain)).toMatchObject([{ ok: true }, { ok: true }]);
  });

  test("signs with the root whose key it has, wherever that stands, and trusts all of them", () => {
    for (const roots of [other.bundlePem() + root.bundlePem(), root.bundlePem() + other.bundlePem()]) {
      const both = reading(roots, root.keyPem());
      if (!both.ok) throw new Error(both.reason);
      expect(both.value.bundle.roots).toHaveLength(2);
      expect(verdict(issuedBy(both.value).chain, root)).toMatchObject([{ ok: true }, { ok: true }]);
      expect(verdict(issuedBy(other).chain, both.value)).toMatchObject([{ ok: true }, { ok: true }]);
    }
  });

  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  test.each([
    ["the key of another", root.bundlePem(), other.keyPem(), "no certificate belongs to the key in ca.key"],
    ["no certificate", "", root.keyPem(), "no certificate belongs"],
    ["no key", root.bundlePem(), "", "ca.key: expected one PRIVATE KEY"],
    ["two keys", root.bundlePem(), root.keyPem() + other.keyPem(), "ca.key: expected one PRIVATE KEY"],
    ["a key among the roots", root.keyPem() + root.bundlePem(), root.keyPem(), "ca.crt:1: found PRIVATE KEY"],
    ["a key that is none", root.bundlePem(), writePem("PRIVATE KEY", Buffer.from("secret")), "ca.key:1: the PRIVATE KEY cannot be read"],
    ["a key of another kind", root.bundlePem(), rsa, "a key of type rsa, expected one on P-256"],
    ["a file cut short", root.bundlePem().slice(0, 100), root.keyPem(), "ca.crt:1"],
  ])("refuses %s", (_, roots, key, reason) => {
    expect(reading(roots, key)).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
  });

  test("refuses a leaf with its key", () => {
    const keys = newKeyPair();
    const issued = root.issue(keys.publicKey, order);
    if (!issued.ok) throw new Error(issued.reason);
    const key = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    expect(reading(writePem("CERTIFICATE", issued.value.chain[0] ?? Buffer.alloc(0)), key)).toMatchObject({ ok: false });
  });
});

test("no property, inspection or JSON of an authority holds its key", () => {
  const secret = root.keyPem().split("\n")[1] ?? "none";
  const hex = Buffer.from(root.keyPem().split("\n").slice(1, -2).join(""), "base64").toString("hex");
  for (const text of [inspect(root, { depth: 9, showHidden: true }), JSON.stringify(root), JSON.stringify({ ...root })]) {
    expect(text).not.toContain(secret);
    expect(text).not.toContain(hex);
    expect(text).not.toContain("PrivateKeyObject");
  }
});

test("PEM is what OpenSSL's is: lines of 64 characters", () => {
  const der = root.bundle.roots[0]?.der ?? new Uint8Array();
  expect(writePem("CERTIFICATE", der)).toBe(new X509Certificate(der).toString());
  expect(writePem("X", Buffer.alloc(48))).toBe(`-----BEGIN X-----\n${"A".repeat(64)}\n-----END X-----\n`);
});
