import { createHash, type KeyObject, X509Certificate } from "node:crypto";
import {
  childrenOf,
  contextTag,
  type DerElement,
  DerError,
  elementAt,
  encodingOf,
  expectTag,
  integerBytesOf,
  objectIdentifierOf,
  smallIntegerOf,
  TAG,
  timeOf,
  wholeElement,
} from "./der.ts";
import { quoted, type Reading, read, refused } from "./names/reading.ts";
import { type Extensions, readExtensions } from "./x509-extensions.ts";

/**
 * What a certificate says (RFC 5280 section 4.1), read from its DER: names in the text that node:crypto makes of them can be quoted to
 * look like others (CVE-2021-44532), and it gives no key usage.
 */
export interface ParsedCertificate extends Extensions {
  readonly der: Uint8Array;
  /** SHA-256 of the DER, in hex. */
  readonly fingerprint: string;
  /** In upper case hex, as node:crypto writes it. */
  readonly serial: string;
  /** DER of the names. Compared by bytes, as Go does: stricter than RFC 5280 section 7.1, which folds case. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Object identifier of the algorithm it is signed with. */
  readonly signatureAlgorithm: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** OpenSSL's reading of the same bytes, which checks signatures. */
  readonly x509: X509Certificate;
  readonly publicKey: KeyObject;
}

/** Larger ones are none: a real one has 1 to 4 KB. */
const MAX_CERTIFICATE_BYTES = 64 * 1024;
const MAX_CERTIFICATES = 1_000;

/** Reads one certificate and nothing behind it. Says nothing about whether to trust it. */
export function parseCertificate(der: Uint8Array): Reading<ParsedCertificate> {
  if (der.length > MAX_CERTIFICATE_BYTES)
    return refused(`is no certificate: it has ${der.length} bytes, expected at most ${MAX_CERTIFICATE_BYTES}`);
  try {
    const fields = readFields(der);
    const x509 = new X509Certificate(der);
    return read({ ...fields, der, fingerprint: fingerprintOf(der), x509, publicKey: x509.publicKey });
  } catch (error) {
    // OpenSSL's words for what it cannot read name its own source lines; they help nobody.
    return refused(
      `is no X.509 certificate: ${error instanceof DerError ? `found ${error.message}` : "OpenSSL cannot read it or its public key"}`,
    );
  }
}

export function fingerprintOf(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("hex");
}

function readFields(der: Uint8Array): Omit<ParsedCertificate, "der" | "fingerprint" | "x509" | "publicKey"> {
  const [tbs, outerAlgorithm, signature, ...more] = childrenOf(wholeElement(der, TAG.sequence));
  expectTag(signature, TAG.bitString);
  if (more.length > 0) throw new DerError("more than three parts of a certificate");
  const parts = [...childrenOf(expectTag(tbs, TAG.sequence))];
  const version = parts[0]?.tag === contextTag(0) ? parts.shift() : undefined;
  const [serial, algorithm, issuer, validity, subject, publicKey, ...optional] = parts;
  // RFC 5280 section 4.1.1.2: both must be the same; the outer one is not signed.
  if (!sameBytes(encodingOf(expectTag(algorithm, TAG.sequence)), encodingOf(expectTag(outerAlgorithm, TAG.sequence))))
    throw new DerError("two different signature algorithms");
  const [signatureAlgorithm] = childrenOf(expectTag(algorithm, TAG.sequence));
  const [notBefore, notAfter, ...moreTimes] = childrenOf(expectTag(validity, TAG.sequence));
  if (notBefore === undefined || notAfter === undefined || moreTimes.length > 0) throw new DerError("a validity that is not two times");
  expectTag(publicKey, TAG.sequence);
  return {
    serial: serialOf(expectTag(serial, TAG.integer)),
    issuer: encodingOf(expectTag(issuer, TAG.sequence)),
    subject: encodingOf(expectTag(subject, TAG.sequence)),
    signatureAlgorithm: objectIdentifierOf(expectTag(signatureAlgorithm, TAG.objectIdentifier)),
    notBeforeMs: timeOf(notBefore),
    notAfterMs: timeOf(notAfter),
    ...readExtensions(extensionsElement(version, optional)),
  };
}

/** Version 3 alone has extensions, and without them a certificate says neither what it is for nor who bears it. */
function extensionsElement(version: DerElement | undefined, optional: readonly DerElement[]): DerElement | undefined {
  const [number, ...more] = version === undefined ? [] : childrenOf(version);
  if (more.length > 0 || (version !== undefined && number === undefined)) throw new DerError("a version that is not one number");
  const isVersion3 = number !== undefined && smallIntegerOf(number) === 2;
  // The unique identifiers [1] and [2] that nobody uses may come before, in this order.
  const rest = [...optional];
  for (const tag of [contextTag(1, "primitive"), contextTag(2, "primitive")]) if (rest[0]?.tag === tag) rest.shift();
  const [extensions, ...unknown] = rest;
  if (unknown.length > 0) throw new DerError("something behind the extensions");
  if (extensions === undefined) return undefined;
  if (!isVersion3) throw new DerError("extensions in a certificate that is not of version 3");
  const [list, ...others] = childrenOf(expectTag(extensions, contextTag(3)));
  if (others.length > 0) throw new DerError("two lists of extensions");
  return expectTag(list, TAG.sequence);
}

/** Zero is taken, for some roots have it. RFC 5280 section 4.1.2.2 forbids negative ones, as which node:crypto shows other digits. */
function serialOf(element: DerElement): string {
  const bytes = integerBytesOf(element);
  if ((bytes[0] ?? 0) >= 0x80) throw new DerError("a negative serial number");
  const hex = Buffer.from(bytes).toString("hex").toUpperCase();
  return hex === "00" ? "0" : hex.replace(/^00/, "");
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}

/** A name for people, `CN=root, O=Shop`. Never compared: the DER is. */
export function nameText(certificate: ParsedCertificate, which: "issuer" | "subject"): string {
  const text: string | undefined = certificate.x509[which];
  return text === undefined || text === "" ? "(no name)" : quoted(text.replaceAll("\n", ", "));
}

/** The same as a value by itself, without the quotes. */
export function plainName(certificate: ParsedCertificate, which: "issuer" | "subject"): string {
  return nameText(certificate, which).replace(/^"(.*)"$/, "$1");
}

/** What to call a certificate in a message: its subject, the ID it names where it has no subject, and its serial. */
export function describeCertificate(certificate: ParsedCertificate): string {
  // An empty SEQUENCE has two bytes.
  const name = certificate.subject.length === 2 ? certificate.uris[0] : undefined;
  return `${name === undefined ? nameText(certificate, "subject") : quoted(name)} (serial ${certificate.serial.slice(0, 40)})`;
}

/** Certificates one behind the other, as the Workload API sends chains and bundles. */
export function splitCertificates(concatenated: Uint8Array): Reading<readonly Uint8Array[]> {
  const parts: Uint8Array[] = [];
  try {
    for (let at = 0; at < concatenated.length; ) {
      if (parts.length === MAX_CERTIFICATES) return refused(`more than ${MAX_CERTIFICATES} certificates`);
      const element = expectTag(elementAt(concatenated, at, concatenated.length), TAG.sequence);
      parts.push(encodingOf(element));
      at = element.end;
    }
    return read(parts);
  } catch (error) {
    return refused(`certificate ${parts.length + 1} is no DER: found ${error instanceof DerError ? error.message : "something else"}`);
  }
}
