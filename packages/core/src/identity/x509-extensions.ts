import {
  booleanOf,
  childrenOf,
  contentOf,
  contextTag,
  type DerElement,
  DerError,
  expectTag,
  namedBitsOf,
  objectIdentifierOf,
  smallIntegerOf,
  TAG,
  wholeElement,
} from "./der.ts";

/** What the extensions say of which trust decides (RFC 5280 section 4.2.1). */
export interface Extensions {
  /** basicConstraints. Absent means false, as X.509 says. */
  readonly isAuthority: boolean;
  /** How many intermediates may stand below; null without a limit. */
  readonly pathLength: number | null;
  /** Null without the extension. */
  readonly keyUsage: ReadonlySet<KeyUsage> | null;
  /** Object identifiers; null without the extension. */
  readonly extendedKeyUsage: ReadonlySet<string> | null;
  /** Every URI among the subject's alternative names, as text of one character a byte. */
  readonly uris: readonly string[];
  /** Critical extensions whose meaning is not known here: no path may go through such a certificate. */
  readonly notUnderstood: readonly string[];
}

const KEY_USAGES = [
  "digitalSignature",
  "nonRepudiation",
  "keyEncipherment",
  "dataEncipherment",
  "keyAgreement",
  "keyCertSign",
  "cRLSign",
  "encipherOnly",
  "decipherOnly",
] as const;
export type KeyUsage = (typeof KEY_USAGES)[number];

const OID = {
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  nameConstraints: "2.5.29.30",
  certificatePolicies: "2.5.29.32",
  extendedKeyUsage: "2.5.29.37",
} as const;

/** GeneralName's uniformResourceIdentifier (RFC 5280 section 4.2.1.6). */
const URI_NAME = contextTag(6, "primitive");
const MAX_EXTENSIONS = 64;

export function readExtensions(list: DerElement | undefined): Extensions {
  const found = new Map<string, DerElement>();
  const notUnderstood: string[] = [];
  for (const extension of list === undefined ? [] : childrenOf(list)) {
    const { oid, isCritical, value } = readExtension(extension);
    if (found.has(oid)) throw new DerError(`extension ${oid} twice`);
    if (found.size === MAX_EXTENSIONS) throw new DerError(`more than ${MAX_EXTENSIONS} extensions`);
    found.set(oid, value);
    if (isNotUnderstood(oid, isCritical)) notUnderstood.push(oid);
  }
  return {
    ...basicConstraints(found.get(OID.basicConstraints)),
    keyUsage: keyUsage(found.get(OID.keyUsage)),
    extendedKeyUsage: extendedKeyUsage(found.get(OID.extendedKeyUsage)),
    uris: uris(found.get(OID.subjectAltName)),
    notUnderstood,
  };
}

/**
 * Name constraints count even where they are not critical: they narrow what an authority may sign, X509-SVID section 4.2 lets an
 * implementation refuse them, and passing over them would widen it. Policies bind nobody who asks for none.
 */
function isNotUnderstood(oid: string, isCritical: boolean): boolean {
  return oid === OID.nameConstraints || (isCritical && !(Object.values(OID) as readonly string[]).includes(oid));
}

function readExtension(extension: DerElement): { readonly oid: string; readonly isCritical: boolean; readonly value: DerElement } {
  const parts = childrenOf(expectTag(extension, TAG.sequence));
  const [oid, second, third, ...more] = parts;
  if (more.length > 0) throw new DerError("an extension of more than three parts");
  const hasFlag = second?.tag === TAG.boolean;
  if (!hasFlag && third !== undefined) throw new DerError("an extension of the wrong shape");
  return {
    oid: objectIdentifierOf(expectTag(oid, TAG.objectIdentifier)),
    isCritical: hasFlag && booleanOf(second),
    value: expectTag(hasFlag ? third : second, TAG.octetString),
  };
}

function basicConstraints(value: DerElement | undefined): Pick<Extensions, "isAuthority" | "pathLength"> {
  if (value === undefined) return { isAuthority: false, pathLength: null };
  const parts = [...childrenOf(wholeElement(contentOf(value), TAG.sequence))];
  const flag = parts[0]?.tag === TAG.boolean ? parts.shift() : undefined;
  const [length, ...more] = parts;
  if (more.length > 0) throw new DerError("basicConstraints of the wrong shape");
  const isAuthority = flag !== undefined && booleanOf(flag);
  if (!isAuthority && length !== undefined) throw new DerError("a path length in a certificate that is no authority");
  return { isAuthority, pathLength: length === undefined ? null : smallIntegerOf(length) };
}

function keyUsage(value: DerElement | undefined): ReadonlySet<KeyUsage> | null {
  if (value === undefined) return null;
  const bits = namedBitsOf(wholeElement(contentOf(value), TAG.bitString));
  return new Set(KEY_USAGES.filter((_, bit) => bits.has(bit)));
}

function extendedKeyUsage(value: DerElement | undefined): ReadonlySet<string> | null {
  if (value === undefined) return null;
  return new Set(childrenOf(wholeElement(contentOf(value), TAG.sequence)).map(objectIdentifierOf));
}

function uris(value: DerElement | undefined): readonly string[] {
  if (value === undefined) return [];
  return childrenOf(wholeElement(contentOf(value), TAG.sequence))
    .filter((name) => name.tag === URI_NAME)
    .map((name) => Buffer.from(contentOf(name)).toString("latin1"));
}
