import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { describe, expect, test } from "vitest";
import { extension, issue, leaf, root } from "../../test/authority.ts";
import { boolean, contextPrimitive, integer, sequence } from "../../test/der-writer.ts";
import { type ParsedCertificate, parseCertificate, splitCertificates } from "./x509.ts";

function parsed(der: Uint8Array): ParsedCertificate {
  const result = parseCertificate(der);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

const ca = root("root");

describe("parseCertificate", () => {
  test("reads the authorities that Node brings as OpenSSL does", () => {
    expect(rootCertificates.length).toBeGreaterThan(100);
    for (const pem of rootCertificates) {
      const expected = new X509Certificate(pem);
      const found = parsed(expected.raw);
      expect({
        serial: found.serial,
        notBefore: found.notBeforeMs,
        notAfter: found.notAfterMs,
        isAuthority: found.isAuthority,
        fingerprint: found.fingerprint.toUpperCase(),
      }).toEqual({
        serial: expected.serialNumber,
        notBefore: Date.parse(expected.validFrom),
        notAfter: Date.parse(expected.validTo),
        isAuthority: expected.ca,
        fingerprint: expected.fingerprint256.replaceAll(":", ""),
      });
      expect(found.keyUsage === null || found.keyUsage.has("keyCertSign"), expected.subject).toBe(true);
    }
  });

  test("reads every URI from the DER, whatever stands in it or in names of other kinds", () => {
    const uris = ["spiffe://a/b", "x, URI:spiffe://a/c", 'x", URI:"y', "\0", ""];
    expect(parsed(issue(ca, { uris, dnsNames: ["URI:spiffe://a/d"] }).der).uris).toEqual(uris);
  });

  test("reads key usages, extended ones and the path length", () => {
    const below = parsed(root("x", { pathLength: 3, keyUsage: [0, 5, 8], extendedKeyUsage: ["1.2.3"] }).der);
    expect([...(below.keyUsage ?? [])]).toEqual(["digitalSignature", "keyCertSign", "decipherOnly"]);
    expect([...(below.extendedKeyUsage ?? [])]).toEqual(["1.2.3"]);
    expect(below.pathLength).toBe(3);
    expect(parsed(ca.der).pathLength).toBeNull();
    expect(parsed(leaf(ca, "spiffe://a/b", { keyUsage: null, extendedKeyUsage: null }).der)).toMatchObject({
      keyUsage: null,
      extendedKeyUsage: null,
    });
  });

  test("notes critical extensions that it does not know, and name constraints in any case", () => {
    const extensions = [
      extension("1.2.3.4", true, integer(1)),
      extension("1.2.3.5", false, integer(1)),
      extension("2.5.29.30", false, sequence()),
    ];
    expect(parsed(leaf(ca, "spiffe://a/b", { extensions }).der).notUnderstood).toEqual(["1.2.3.4", "2.5.29.30"]);
  });

  test.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(), "the end in the middle of an element"],
    ["half of one", ca.der.subarray(0, 200), "are left"],
    ["bytes behind it", Buffer.concat([ca.der, Buffer.from([0])]), "1 bytes behind the end"],
    [
      "an extension twice",
      leaf(ca, "spiffe://a/b", { extensions: [extension("2.5.29.15", true, integer(1))] }).der,
      "extension 2.5.29.15 twice",
    ],
    ["a path length without CA", issue(ca, { pathLength: 1 }).der, "a path length in a certificate that is no authority"],
    ["too much", Buffer.alloc(64 * 1024 + 1), "expected at most 65536"],
  ])("refuses %s", (_, der, reason) => {
    expect(parseCertificate(der)).toMatchObject({ ok: false, reason: expect.stringContaining(reason) });
  });

  test("refuses a public key that OpenSSL cannot read", () => {
    const der = Buffer.from(ca.der);
    // The curve's object identifier, prime256v1, made into none.
    der[der.indexOf(Buffer.from("06082a8648ce3d030107", "hex")) + 9] = 0x7f;
    expect(parseCertificate(der)).toMatchObject({ reason: expect.stringContaining("OpenSSL cannot read it or its public key") });
  });

  test("refuses a negative serial number, and takes zero", () => {
    const der = Buffer.from(leaf(ca, "spiffe://a/b", { serial: 0x1234 }).der);
    der[der.indexOf(Buffer.from("02021234", "hex")) + 2] = 0x80;
    expect(parseCertificate(der)).toMatchObject({ reason: expect.stringContaining("a negative serial number") });
    expect(parsed(leaf(ca, "spiffe://a/b", { serial: 0 }).der).serial).toBe("0");
  });

  test("refuses a certificate whose two signature algorithms differ", () => {
    const der = Buffer.from(ca.der);
    // The last byte of ecdsa-with-SHA256, the first time in what is signed and the second time beside it.
    const oid = Buffer.from("06082a8648ce3d040302", "hex");
    der[der.lastIndexOf(oid) + oid.length - 1] = 3;
    expect(parseCertificate(der)).toMatchObject({ reason: expect.stringContaining("two different signature algorithms") });
  });

  test("does not take a boolean for an authority that DER does not write so", () => {
    const wrong = sequence(contextPrimitive(1, Buffer.from([1])), boolean(true));
    expect(parseCertificate(leaf(ca, "spiffe://a/b", { extensions: [extension("2.5.29.19", true, wrong)] }).der).ok).toBe(false);
  });
});

describe("splitCertificates", () => {
  test("gives each of several, and none of what is no row of certificates", () => {
    const below = leaf(ca, "spiffe://a/b");
    expect(splitCertificates(Buffer.concat([below.der, ca.der]))).toEqual({ ok: true, value: [below.der, ca.der] });
    expect(splitCertificates(new Uint8Array())).toEqual({ ok: true, value: [] });
    expect(splitCertificates(Buffer.concat([ca.der, Buffer.from([0])])).ok).toBe(false);
    expect(splitCertificates(Buffer.from("0400", "hex")).ok).toBe(false);
    expect(splitCertificates(Buffer.from("3000".repeat(1_001), "hex"))).toMatchObject({ reason: "more than 1000 certificates" });
  });
});
