import { type KeyObject, randomBytes, sign } from "node:crypto";
import type { BaseBlock } from "asn1js";
import { asn1, bits, encoded, explicit, implicit, integer, objectIdentifier, octets, sequence, setOf, time, toDer, truth } from "./asn1.ts";
import { keyIdentifierOf } from "./key-identifier.ts";

/** The key usages that X509-SVID speaks of, and their bits (RFC 5280 section 4.2.1.3). */
const KEY_USAGE_BITS = { digitalSignature: 0, keyEncipherment: 2, keyAgreement: 4, keyCertSign: 5, cRLSign: 6 } as const;
export type KeyUsage = keyof typeof KEY_USAGE_BITS;

/** RFC 5280 section 4.2.1.12. */
const PURPOSES = { serverAuth: "1.3.6.1.5.5.7.3.1", clientAuth: "1.3.6.1.5.5.7.3.2", codeSigning: "1.3.6.1.5.5.7.3.3" } as const;
export type ExtendedKeyUsage = keyof typeof PURPOSES;

const HASHES = { sha1: "1.2.840.10045.4.1", sha256: "1.2.840.10045.4.3.2", sha384: "1.2.840.10045.4.3.3" } as const;
const NAME_OIDS = { organization: "2.5.4.10", commonName: "2.5.4.3" } as const;

/** Who signs. */
export interface CertificateSigner {
  /** DER of its name, as its certificate's subject has it. */
  readonly name: Uint8Array;
  /** ECDSA. */
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** What its certificate calls its key; null: nothing. Default: what certificates written here do. */
  readonly keyIdentifier?: Uint8Array | null;
}

/** What a certificate says. Nothing of it is checked: wrong certificates are written as readily, which tests need. */
export interface CertificateContent {
  /** DER of the name; an empty one has two bytes (see {@link distinguishedName}). */
  readonly subject: Uint8Array;
  readonly publicKey: KeyObject;
  /** Milliseconds since the epoch, written in whole seconds. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** The names of its subject: URIs and DNS names. None leaves the extension out. */
  readonly uris: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly isAuthority: boolean;
  /** How many intermediates an authority may have below it. Default: any number. */
  readonly pathLength?: number;
  /** Null leaves the extension out. */
  readonly keyUsage: readonly KeyUsage[] | null;
  /** Null leaves the extension out, which allows every purpose. */
  readonly extendedKeyUsage: readonly ExtendedKeyUsage[] | null;
  /** Of the signature. Default: sha256. */
  readonly hash?: keyof typeof HASHES;
}

/** The DER of a name with these parts, in this order; with neither it is the empty name. */
export function distinguishedName(parts: { readonly organization?: string; readonly commonName?: string }): Buffer {
  const { Utf8String } = asn1();
  const part = (oid: string, value: string): BaseBlock => setOf(sequence(objectIdentifier(oid), new Utf8String({ value })));
  const names = (Object.keys(NAME_OIDS) as (keyof typeof NAME_OIDS)[]).flatMap((key) => {
    const value = parts[key];
    return value === undefined ? [] : [part(NAME_OIDS[key], value)];
  });
  return toDer(sequence(...names));
}

/**
 * Writes and signs an X.509 certificate (RFC 5280 section 4.1) with ECDSA and a random serial number of 128 bits; returns its DER. It does
 * what it is told: what may be in an X509-SVID is for {@link Authority} to know.
 */
export function writeCertificate(content: CertificateContent, signer: CertificateSigner): Buffer {
  const { hash = "sha256" } = content;
  const algorithm = sequence(objectIdentifier(HASHES[hash]));
  const toBeSigned = sequence(
    explicit(0, integer(Uint8Array.of(2))),
    integer(randomBytes(16)),
    algorithm,
    encoded(signer.name),
    sequence(time(content.notBeforeMs), time(content.notAfterMs)),
    encoded(content.subject),
    encoded(spki(content.publicKey)),
    explicit(3, sequence(...extensionsOf(content, signer))),
  );
  return toDer(sequence(toBeSigned, algorithm, bits(sign(hash, toDer(toBeSigned), signer.privateKey))));
}

function extensionsOf(content: CertificateContent, signer: CertificateSigner): readonly BaseBlock[] {
  const { isAuthority, pathLength, keyUsage, extendedKeyUsage, uris, dnsNames = [], subject } = content;
  const extension = (oid: string, isCritical: boolean, value: BaseBlock): BaseBlock =>
    sequence(objectIdentifier(oid), ...(isCritical ? [truth()] : []), octets(toDer(value)));
  const constraints = [...(isAuthority ? [truth()] : []), ...(pathLength === undefined ? [] : [integer(Uint8Array.of(pathLength))])];
  const names = [
    ...dnsNames.map((name) => implicit(2, Buffer.from(name, "latin1"))),
    ...uris.map((uri) => implicit(6, Buffer.from(uri, "latin1"))),
  ];
  const { keyIdentifier: signerIdentifier = keyIdentifierOf(signer.publicKey) } = signer;
  // RFC 5280 section 4.2.1.6: who has no subject is named here alone, so it is critical; an empty SEQUENCE has two bytes.
  const isNamedHereAlone = subject.length === 2;
  return [
    extension("2.5.29.19", true, sequence(...constraints)),
    ...(keyUsage === null ? [] : [extension("2.5.29.15", true, keyUsageBits(keyUsage))]),
    ...(extendedKeyUsage === null
      ? []
      : [extension("2.5.29.37", false, sequence(...extendedKeyUsage.map((each) => objectIdentifier(PURPOSES[each]))))]),
    ...(names.length === 0 ? [] : [extension("2.5.29.17", isNamedHereAlone, sequence(...names))]),
    extension("2.5.29.14", false, octets(keyIdentifierOf(content.publicKey))),
    ...(signerIdentifier === null ? [] : [extension("2.5.29.35", false, sequence(implicit(0, signerIdentifier)))]),
  ];
}

/** The first bit is the highest; DER ends at the last one that is set. */
function keyUsageBits(usages: readonly KeyUsage[]): BaseBlock {
  const numbers = usages.map((usage) => KEY_USAGE_BITS[usage]);
  if (numbers.length === 0) return bits(new Uint8Array());
  const byte = numbers.reduce<number>((all, number) => all | (0x80 >> number), 0);
  return bits(Uint8Array.of(byte), 7 - Math.max(...numbers));
}

function spki(publicKey: KeyObject): Buffer {
  return publicKey.export({ type: "spki", format: "der" });
}
