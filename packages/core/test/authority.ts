import { generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult, sign } from "node:crypto";
import {
  bitString,
  boolean,
  context,
  contextPrimitive,
  der,
  integer,
  objectIdentifier,
  octets,
  sequence,
  time,
  utf8,
} from "./der-writer.ts";

/** What a test may have different. The defaults make a valid X509-SVID. */
export interface CertificateWish {
  readonly subject?: string | null;
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly isAuthority?: boolean;
  readonly pathLength?: number;
  /** Numbers of bits, 0 is digitalSignature, 5 keyCertSign; null leaves the extension out. */
  readonly keyUsage?: readonly number[] | null;
  readonly extendedKeyUsage?: readonly string[] | null;
  readonly notBeforeMs?: number;
  readonly notAfterMs?: number;
  /** Signed by another key than the issuer's, under its name. */
  readonly signedBy?: KeyObject;
  /** Of the signature. Default: sha256. */
  readonly hash?: keyof typeof ECDSA_WITH;
  /** Extra extensions, encoded. */
  readonly extensions?: readonly Uint8Array[];
  readonly publicKey?: KeyObject;
  /** Default: a new one on P-256. */
  readonly keys?: KeyPairKeyObjectResult;
  readonly serial?: number;
}

export interface IssuedCertificate {
  readonly der: Buffer;
  readonly pem: string;
  readonly name: Buffer;
  readonly privateKey: KeyObject;
  readonly keyPem: string;
}

/** The moment tests live in; certificates are valid an hour around it. */
export const NOW: number = Date.UTC(2026, 0, 15, 12);
export const HOUR = 3_600_000;
const ECDSA_WITH = { sha1: "1.2.840.10045.4.1", sha256: "1.2.840.10045.4.3.2", sha384: "1.2.840.10045.4.3.3" } as const;
const RSA_WITH_SHA256 = sequence(objectIdentifier("1.2.840.113549.1.1.11"), der(0x05));
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

let serials = 0x1000;

export function root(subject: string, wish: CertificateWish = {}): IssuedCertificate {
  return issue(null, { subject, isAuthority: true, uris: [], keyUsage: [5, 6], extendedKeyUsage: null, ...wish });
}

export function intermediate(issuer: IssuedCertificate, subject: string, wish: CertificateWish = {}): IssuedCertificate {
  return issue(issuer, { subject, isAuthority: true, uris: [], keyUsage: [5, 6], extendedKeyUsage: null, ...wish });
}

export function leaf(issuer: IssuedCertificate, id: string, wish: CertificateWish = {}): IssuedCertificate {
  return issue(issuer, { uris: [id], ...wish });
}

/** Signs whatever is wished, valid or not. Without an issuer it signs itself. */
export function issue(issuer: IssuedCertificate | null, wish: CertificateWish = {}): IssuedCertificate {
  const { privateKey, publicKey } = wish.keys ?? generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = nameOf(wish.subject ?? null);
  const { hash = "sha256" } = wish;
  const signer = wish.signedBy ?? issuer?.privateKey ?? privateKey;
  const algorithm = signer.asymmetricKeyType === "rsa" ? RSA_WITH_SHA256 : sequence(objectIdentifier(ECDSA_WITH[hash]));
  const tbs = sequence(
    context(0, integer(2)),
    integer(wish.serial ?? serials++),
    algorithm,
    issuer?.name ?? name,
    sequence(time(wish.notBeforeMs ?? NOW - HOUR), time(wish.notAfterMs ?? NOW + HOUR)),
    name,
    (wish.publicKey ?? publicKey).export({ format: "der", type: "spki" }),
    context(3, sequence(...extensionsOf(wish))),
  );
  const signature = sign(hash, tbs, signer);
  const certificate = sequence(tbs, algorithm, der(0x03, Buffer.from([0]), signature));
  return {
    der: certificate,
    pem: pemOf("CERTIFICATE", certificate),
    name,
    privateKey,
    keyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
  };
}

function nameOf(commonName: string | null): Buffer {
  return commonName === null ? sequence() : sequence(der(0x31, sequence(objectIdentifier("2.5.4.3"), utf8(commonName))));
}

export function extension(oid: string, isCritical: boolean, value: Uint8Array): Buffer {
  return sequence(objectIdentifier(oid), ...(isCritical ? [boolean(true)] : []), octets(value));
}

function extensionsOf(wish: CertificateWish): readonly Buffer[] {
  const { isAuthority = false, pathLength, keyUsage = [0], extendedKeyUsage = [SERVER_AUTH, CLIENT_AUTH] } = wish;
  const names = [
    ...(wish.dnsNames ?? []).map((name) => contextPrimitive(2, Buffer.from(name))),
    ...(wish.uris ?? []).map((uri) => contextPrimitive(6, Buffer.from(uri, "latin1"))),
  ];
  const constraints = [...(isAuthority ? [boolean(true)] : []), ...(pathLength === undefined ? [] : [integer(pathLength)])];
  return [
    extension("2.5.29.19", true, sequence(...constraints)),
    ...(keyUsage === null ? [] : [extension("2.5.29.15", true, bitString(keyUsage))]),
    ...(extendedKeyUsage === null ? [] : [extension("2.5.29.37", false, sequence(...extendedKeyUsage.map(objectIdentifier)))]),
    ...(names.length === 0 ? [] : [extension("2.5.29.17", true, sequence(...names))]),
    ...((wish.extensions ?? []) as readonly Buffer[]),
  ];
}

export function pemOf(label: string, content: Uint8Array): string {
  const lines = Buffer.from(content).toString("base64").replace(/.{64}/g, "$&\n").trimEnd();
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
