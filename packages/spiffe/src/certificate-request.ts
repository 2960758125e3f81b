import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { type Reading, read, refused } from "@heddle/core";
import type { BaseBlock, BitString, ObjectIdentifier } from "asn1js";
import { asn1, bits, encoded, explicit, implicit, integer, objectIdentifier, octets, sequence, setOf, toDer, truth } from "./asn1.ts";

/** ECDSA with SHA-256 or better. */
const HASHES: Readonly<Record<string, string>> = {
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
};
const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
const SUBJECT_ALT_NAME = "2.5.29.17";
/** A real one has half a kilobyte. */
const MAX_REQUEST_BYTES = 16 * 1024;

/** A key pair. The private key is for whoever asks for a certificate; it is in no request. */
export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/**
 * Writes a certificate request (PKCS #10, RFC 2986) for a key of P-256 and signs it with that key; returns its DER. `id` is the SPIFFE ID
 * to ask for, which authorities other than ours go by.
 */
export function writeCertificateRequest({ privateKey, publicKey }: KeyPair, id?: string): Buffer {
  const wishes = id === undefined ? [] : [sequence(objectIdentifier(EXTENSION_REQUEST), setOf(sequence(nameExtension(id))))];
  const info = sequence(
    integer(Uint8Array.of(0)),
    sequence(),
    encoded(publicKey.export({ type: "spki", format: "der" })),
    explicit(0, ...wishes),
  );
  const signature = sign("sha256", toDer(info), privateKey);
  return toDer(sequence(info, sequence(objectIdentifier("1.2.840.10045.4.3.2")), bits(signature)));
}

function nameExtension(id: string): BaseBlock {
  const names = sequence(implicit(6, Buffer.from(id, "latin1")));
  return sequence(objectIdentifier(SUBJECT_ALT_NAME), truth(), octets(toDer(names)));
}

/**
 * The key that a request is for, if the request is signed with it: proof that who asks has the private key. The names and extensions in
 * it are not read, since whom a certificate names is the authority's to decide.
 */
export function readCertificateRequest(der: Uint8Array): Reading<KeyObject> {
  if (der.length > MAX_REQUEST_BYTES)
    return refused(`the certificate request has ${der.length} bytes, expected at most ${MAX_REQUEST_BYTES}`);
  try {
    const [info, algorithm, signature] = parts(encoded(der));
    const [oid] = parts(algorithm);
    const [, , spki] = parts(info);
    if (info === undefined || spki === undefined || signature === undefined) return refused(NO_REQUEST);
    const hash = HASHES[(oid as ObjectIdentifier).getValue()];
    if (hash === undefined) return refused("the certificate request is not signed with ECDSA and SHA-256 or better");
    const key = createPublicKey({ key: Buffer.from(spki.valueBeforeDecodeView), format: "der", type: "spki" });
    if (key.asymmetricKeyType !== "ec" || !CURVES.has(key.asymmetricKeyDetails?.namedCurve ?? ""))
      return refused("the certificate request is for a key that is not on P-256, P-384 or P-521");
    const { valueHexView, unusedBits } = (signature as BitString).valueBlock;
    const isSigned = unusedBits === 0 && verify(hash, info.valueBeforeDecodeView, key, valueHexView);
    return isSigned ? read(key) : refused("the certificate request is not signed with the key that it asks a certificate for");
  } catch {
    // The library's words and OpenSSL's are about their own source.
    return refused(NO_REQUEST);
  }
}

const NO_REQUEST = "is no certificate request, expected PKCS #10 as DER";

function parts(block: BaseBlock | undefined): readonly BaseBlock[] {
  if (!(block instanceof asn1().Sequence)) throw new TypeError(NO_REQUEST);
  return block.valueBlock.value;
}
