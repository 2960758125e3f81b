import { generateKeyPairSync, KeyObject, X509Certificate } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import {
  CLIENT_AUTH,
  HOUR,
  type IssuedCertificate,
  intermediate,
  issue,
  leaf,
  NOW,
  pemOf,
  root,
  SERVER_AUTH,
} from "../../test/authority.ts";
import { certificateFromDer, readCertificate, type WorkloadCertificate } from "./certificate.ts";

const ID = "spiffe://shop.example/ns/shop/sa/web";
const ca = root("root");
const middle = intermediate(ca, "middle");
const web = leaf(middle, ID);
const other = leaf(ca, "spiffe://shop.example/ns/shop/sa/other");

function reading(...texts: readonly string[]) {
  return readCertificate(
    texts.map((text, index) => ({ text, from: index === 0 ? "tls.crt" : "tls.key" })),
    NOW,
  );
}

function readable(...texts: readonly string[]): WorkloadCertificate {
  const result = reading(...texts);
  if (!result.ok) throw new Error(result.reason);
  return result.value;
}

function reason(...texts: readonly string[]): string {
  const result = reading(...texts);
  return result.ok ? `accepted ${result.value}` : result.reason;
}

/** The public half is as it was, which is all that OpenSSL compares. */
function withDamagedSecret({ privateKey }: IssuedCertificate): string {
  const der = privateKey.export({ type: "pkcs8", format: "der" });
  der[45] = (der[45] as number) ^ 1;
  return pemOf("PRIVATE KEY", der);
}

const ofSelf = (issued: IssuedCertificate): string => issued.pem + issued.keyPem;

describe("readCertificate", () => {
  test("reads certificate and key apart, in one text, and the key first", () => {
    for (const texts of [
      [web.pem + middle.pem, web.keyPem],
      [web.pem + middle.pem + web.keyPem],
      [web.keyPem + web.pem + middle.pem],
      [web.keyPem, web.pem + middle.pem],
    ]) {
      const certificate = readable(...texts);
      expect(certificate.id.text).toBe(ID);
      expect(certificate.chain).toEqual([web.der, middle.der]);
      expect(certificate.privateKey.equals(web.privateKey)).toBe(true);
      expect(certificate.serial).toBe(new X509Certificate(web.der).serialNumber);
      expect(certificate.issuer).toBe("CN=middle");
    }
  });

  test("reads keys as PKCS#8, SEC1 behind its curve, and PKCS#1", () => {
    const sec1 = web.privateKey.export({ format: "pem", type: "sec1" }).toString();
    const curve = pemOf("EC PARAMETERS", Buffer.from("06082a8648ce3d030107", "hex"));
    expect(readable(web.pem, curve + sec1).privateKey.equals(web.privateKey)).toBe(true);
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const issued = leaf(ca, ID, { publicKey: rsa.publicKey });
    const pkcs1 = rsa.privateKey.export({ format: "pem", type: "pkcs1" }).toString();
    expect(readable(issued.pem, pkcs1).privateKey.equals(rsa.privateKey)).toBe(true);
  });

  test("takes a root at the end, even twice and expired, as authorities hand it out", () => {
    const old = root("old root", { notAfterMs: NOW - 1 });
    const issued = leaf(old, ID);
    const certificate = readable(issued.pem + old.pem + old.pem, issued.keyPem);
    expect(certificate.chain).toEqual([issued.der, old.der]);
    expect(certificate.notAfterMs).toBe(NOW + HOUR);
  });

  test("is valid as long as its leaf and all intermediates are", () => {
    const brief = intermediate(ca, "brief", { notBeforeMs: NOW - 5_000, notAfterMs: NOW + 7_000 });
    const issued = leaf(brief, ID);
    const { notBeforeMs, notAfterMs } = readable(issued.pem + brief.pem, issued.keyPem);
    expect({ notBeforeMs, notAfterMs }).toEqual({ notBeforeMs: NOW - 5_000, notAfterMs: NOW + 7_000 });
  });

  test.each<[string, readonly string[], string]>([
    ["no certificate", [web.keyPem], "tls.crt: no certificate"],
    ["no key", [web.pem, ""], "tls.crt and tls.key: no private key"],
    ["two keys", [ofSelf(web), other.keyPem], "tls.key:1: a second private key, the first is at tls.crt:"],
    ["a key whose secret is damaged", [web.pem, withDamagedSecret(web)], "tls.key:1: the private key is damaged"],
    ["another's key", [web.pem, other.keyPem], `tls.key:1: the private key does not belong to the certificate "${ID}"`],
    ["the issuer first", [middle.pem + web.pem, web.keyPem], "the key belongs to this certificate, expected it to come first"],
    ["intermediates in the wrong order", [web.pem + ca.pem + middle.pem, web.keyPem], 'is not "CN=middle", the issuer of'],
    ["a stranger in the chain", [web.pem + other.pem, web.keyPem], 'is not "CN=middle", the issuer of'],
    ["an encrypted key", [web.pem, pemOf("ENCRYPTED PRIVATE KEY", Buffer.from("x"))], "tls.key:1: the private key is encrypted"],
    ["something else", [web.pem, pemOf("CERTIFICATE REQUEST", Buffer.from("x"))], "tls.key:1: found CERTIFICATE REQUEST"],
    ["a key that is none", [web.pem, pemOf("PRIVATE KEY", Buffer.from("x"))], "tls.key:1: the PRIVATE KEY cannot be read, expected PKCS8"],
    ["a certificate that is none", [pemOf("CERTIFICATE", Buffer.from("x")), web.keyPem], "tls.crt:1: is no X.509 certificate"],
    [
      "bytes behind a certificate",
      [pemOf("CERTIFICATE", Buffer.concat([web.der, Buffer.from([0])])), web.keyPem],
      "1 bytes behind the end",
    ],
    ["a text cut short", [web.pem.slice(0, -30), web.keyPem], "tls.crt:1: the CERTIFICATE"],
    [
      "too many",
      [web.pem + Array.from({ length: 10 }, (_, index) => root(`r${index}`).pem).join(""), web.keyPem],
      "more than 10 certificates",
    ],
  ])("refuses %s, saying where", (_, texts, expected) => {
    expect(reason(...texts)).toContain(expected);
  });

  test("refuses what is not valid now, saying since or until when", () => {
    const expired = leaf(ca, ID, { notAfterMs: NOW - 1_000 });
    expect(reason(expired.pem, expired.keyPem)).toContain("expired 2026-01-15T11:59:59Z; it is now 2026-01-15T12:00:00Z");
    const early = leaf(ca, ID, { notBeforeMs: NOW + 1_000 });
    expect(reason(early.pem, early.keyPem)).toContain("is not valid before 2026-01-15T12:00:01Z");
    const old = intermediate(ca, "old", { notAfterMs: NOW - 1_000 });
    const issued = leaf(old, ID);
    expect(reason(issued.pem + old.pem, issued.keyPem)).toContain('"CN=old" (serial');
    expect(readCertificate([{ text: ofSelf(web), from: "pem" }], Number.NaN)).toMatchObject({
      reason: expect.stringContaining("the time is unknown"),
    });
  });

  test("refuses an issuer that may not issue or did not", () => {
    const notCa = issue(ca, { subject: "no ca", keyUsage: [0] });
    const below = leaf(notCa, ID);
    expect(reason(below.pem + notCa.pem, below.keyPem)).toContain("is no authority");
    const forged = leaf(middle, ID, { signedBy: other.privateKey });
    expect(reason(forged.pem + middle.pem, forged.keyPem)).toContain('"CN=middle"');
    expect(reason(forged.pem + middle.pem, forged.keyPem)).toContain("did not sign");
  });

  test.each<[string, Parameters<typeof issue>[1], string]>([
    ["no URI", { uris: [], dnsNames: ["web.example"] }, "names no URI"],
    ["two URIs", { uris: [ID, "https://x"] }, "names 2 URIs"],
    ["the same URI twice", { uris: [ID, ID] }, "names 2 URIs"],
    ["a URI that is no SPIFFE ID", { uris: ["https://web"] }, "does not begin with spiffe://"],
    ["the ID of a trust domain", { uris: ["spiffe://shop.example"] }, "expected a workload's ID with a path"],
    ["a URI with a NUL", { uris: [`${ID}\0.evil`] }, "may hold only"],
    ["CA:TRUE", { uris: [ID], isAuthority: true }, "is an authority"],
    ["no key usage", { uris: [ID], keyUsage: null }, "has no key usage"],
    ["another key usage", { uris: [ID], keyUsage: [2] }, "has the key usage keyEncipherment, expected digitalSignature"],
    ["keyCertSign", { uris: [ID], keyUsage: [0, 5] }, "has the key usage keyCertSign"],
    ["cRLSign", { uris: [ID], keyUsage: [0, 6] }, "has the key usage cRLSign"],
  ])("refuses a leaf with %s", (_, wish, expected) => {
    const issued = issue(ca, wish);
    expect(reason(issued.pem, issued.keyPem)).toContain(expected);
  });

  test("takes DNS names, key encipherment and any extended key usage beside", () => {
    const issued = leaf(ca, ID, {
      dnsNames: ["URI:spiffe://evil/x", "a, URI:spiffe://evil/y"],
      keyUsage: [0, 2],
      extendedKeyUsage: [SERVER_AUTH, CLIENT_AUTH],
    });
    expect(readable(issued.pem, issued.keyPem).id.text).toBe(ID);
  });
});

describe("certificateFromDer", () => {
  const key = web.privateKey.export({ format: "der", type: "pkcs8" });
  const from = "the Workload API";

  test("reads what the Workload API sends", () => {
    const result = certificateFromDer({ chain: Buffer.concat([web.der, middle.der]), key, from }, NOW);
    expect(result).toMatchObject({ ok: true, value: { id: { text: ID }, chain: [web.der, middle.der] } });
  });

  test("refuses what is empty, cut or not a key, saying which", () => {
    const why = (chain: Uint8Array, given: Uint8Array = key) => {
      const result = certificateFromDer({ chain, key: given, from }, NOW);
      return result.ok ? "accepted" : result.reason;
    };
    expect(why(Buffer.alloc(0))).toBe("the Workload API: no certificate, expected at least that of the workload");
    expect(why(web.der.subarray(0, -1))).toContain("certificate 1 is no DER");
    expect(why(Buffer.concat([web.der, middle.der.subarray(0, 50)]))).toContain("certificate 2 is no DER");
    expect(why(web.der, Buffer.from("x"))).toContain("the key of the Workload API: the PRIVATE KEY cannot be read");
  });
});

describe("a workload certificate", () => {
  test("shows whose it is, and its key to nobody", () => {
    const certificate = readable(web.pem + middle.pem, web.keyPem);
    const { d } = web.privateKey.export({ format: "jwk" });
    const scalar = Buffer.from(d ?? "", "base64url");
    const secrets = [web.keyPem.split("\n")[1], d, scalar.toString("hex"), scalar.toString("base64"), [...scalar].join(", ")].map(String);
    const shown = [
      String(certificate),
      inspect(certificate),
      inspect({ nested: [certificate] }, { depth: 9 }),
      inspect(certificate, {
        showHidden: true,
        customInspect: false,
        getters: true,
        depth: 20,
        maxArrayLength: null,
        maxStringLength: null,
      }),
      JSON.stringify(certificate),
      JSON.stringify({ ...certificate }),
      JSON.stringify(structuredClone({ ...certificate })),
      JSON.stringify(Object.getOwnPropertyDescriptors(certificate)),
    ];
    for (const text of shown) for (const secret of secrets) expect(text).not.toContain(secret);
    expect(inspect(certificate)).toBe(
      `certificate of ${ID} (serial ${certificate.serial}, issued by "CN=middle", until 2026-01-15T13:00:00Z)`,
    );
    expect(JSON.parse(JSON.stringify(certificate))).toMatchObject({ id: ID, notAfter: "2026-01-15T13:00:00Z" });
    const own = Reflect.ownKeys(certificate).map((key) => Reflect.get(certificate, key) as unknown);
    expect(own.some((value) => value instanceof KeyObject)).toBe(false);
  });

  test("cannot be changed", () => {
    const certificate = readable(web.pem, web.keyPem);
    expect(() => Object.assign(certificate, { notAfterMs: Number.POSITIVE_INFINITY })).toThrow(TypeError);
    expect(() => (certificate.chain as Uint8Array[]).push(other.der)).toThrow(TypeError);
  });
});
