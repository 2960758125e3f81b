import { createHash, type KeyObject } from "node:crypto";
import type { BaseBlock, BitString, Constructed, Sequence } from "asn1js";
import { asn1, encoded } from "./asn1.ts";

const SUBJECT_KEY_IDENTIFIER = "2.5.29.14";

/** What a key is called in the certificates written here, by RFC 7093 section 2, method 1: RFC 5280's own is SHA-1. */
export function keyIdentifierOf(publicKey: KeyObject): Uint8Array {
  const [, key] = (encoded(publicKey.export({ type: "spki", format: "der" })) as Sequence).valueBlock.value;
  return createHash("sha256")
    .update((key as BitString).valueBlock.valueHexView)
    .digest()
    .subarray(0, 20);
}

/**
 * What a certificate calls its key, null where it does not. Whoever made it may count otherwise than we do, and OpenSSL does not take an
 * issuer whose certificate calls its key differently.
 */
export function keyIdentifierIn(certificate: Uint8Array): Uint8Array | null {
  const [toBeSigned] = partsOf(asn1().fromBER(certificate).result);
  const extensions = partsOf(toBeSigned).find(({ idBlock }) => idBlock.tagClass === 3 && idBlock.tagNumber === 3);
  for (const extension of partsOf(partsOf(extensions)[0])) {
    const parts = partsOf(extension);
    const [oid, value] = [parts[0], parts.at(-1)];
    if (!(oid instanceof asn1().ObjectIdentifier) || oid.getValue() !== SUBJECT_KEY_IDENTIFIER) continue;
    const content = value instanceof asn1().OctetString ? asn1().fromBER(value.valueBlock.valueHexView).result : null;
    return content instanceof asn1().OctetString ? content.valueBlock.valueHexView : null;
  }
  return null;
}

function partsOf(block: BaseBlock | undefined): readonly BaseBlock[] {
  return block instanceof asn1().Constructed ? (block as Constructed).valueBlock.value : [];
}
