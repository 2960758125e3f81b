import type { KeyObject } from "node:crypto";
import { moment } from "./names/reading.ts";
import { describeCertificate, type ParsedCertificate, sameBytes } from "./x509.ts";

/** What the bearer of a leaf is doing with it. */
export type Purpose = "server" | "client";

const PURPOSE_OIDS: Readonly<Record<Purpose, string>> = { server: "1.3.6.1.5.5.7.3.1", client: "1.3.6.1.5.5.7.3.2" };
const ANY_PURPOSE = "2.5.29.37.0";

/** Why `nowMs` is outside of the certificate's life, or null. A time that is no number is outside. */
export function validityProblem({ notBeforeMs, notAfterMs }: ParsedCertificate, nowMs: number): string | null {
  if (nowMs >= notBeforeMs && nowMs <= notAfterMs) return null;
  if (nowMs > notAfterMs) return `expired ${moment(notAfterMs)}`;
  return nowMs < notBeforeMs ? `is not valid before ${moment(notBeforeMs)}` : "cannot be checked: the time is unknown";
}

/** Why this may not issue certificates with so many intermediates below it (RFC 5280 section 6.1.4), or null. */
export function authorityProblem(issuer: ParsedCertificate, intermediatesBelow: number): string | null {
  if (!issuer.isAuthority) return "is no authority (CA:FALSE)";
  if (issuer.keyUsage !== null && !issuer.keyUsage.has("keyCertSign")) return "may not sign certificates (key usage without keyCertSign)";
  if (issuer.pathLength !== null && issuer.pathLength < intermediatesBelow)
    return `allows ${issuer.pathLength} intermediates below it, found ${intermediatesBelow}`;
  if (issuer.notUnderstood.length > 0) return `has extensions that are not understood here: ${issuer.notUnderstood.slice(0, 5).join(", ")}`;
  return null;
}

/**
 * Why the extended key usage forbids this purpose, or null. Asked of intermediates too, as OpenSSL and Go do: an authority for mail
 * must not make servers (X509-SVID section 4.4 leaves it open).
 */
export function purposeProblem({ extendedKeyUsage }: ParsedCertificate, purpose: Purpose): string | null {
  if (extendedKeyUsage === null || extendedKeyUsage.has(PURPOSE_OIDS[purpose]) || extendedKeyUsage.has(ANY_PURPOSE)) return null;
  return `may not be used by a TLS ${purpose} (extended key usage)`;
}

/** The names fit. Costs nothing beside {@link signatureProblem}, so ask this first. */
export function isNamedAsIssuer(certificate: ParsedCertificate, issuer: ParsedCertificate): boolean {
  return sameBytes(certificate.issuer, issuer.subject);
}

/** Signatures that are trusted. Neither MD5 nor SHA-1, and not RSASSA-PSS, whose hash stands in parameters. */
const SIGNATURE_ALGORITHMS: ReadonlySet<string> = new Set([
  "1.2.840.10045.4.3.2", // ecdsa-with-SHA256
  "1.2.840.10045.4.3.3", // ecdsa-with-SHA384
  "1.2.840.10045.4.3.4", // ecdsa-with-SHA512
  "1.2.840.113549.1.1.11", // sha256WithRSAEncryption
  "1.2.840.113549.1.1.12", // sha384WithRSAEncryption
  "1.2.840.113549.1.1.13", // sha512WithRSAEncryption
  "1.3.101.112", // Ed25519
  "1.3.101.113", // Ed448
]);

/** Why the signature on `certificate` is not a good one of `issuer`, or null. Takes 70 us, so ask everything else first. */
export function signatureProblem(certificate: ParsedCertificate, issuer: ParsedCertificate): string | null {
  const { signatureAlgorithm } = certificate;
  if (!SIGNATURE_ALGORITHMS.has(signatureAlgorithm))
    return `signed ${describeCertificate(certificate)} with algorithm ${signatureAlgorithm}, expected ECDSA or RSA with SHA-256 or better, or EdDSA`;
  if (!isStrongKey(issuer.publicKey)) return "has a key that is too weak, expected RSA of 2048 bits or more, P-256, P-384, P-521 or EdDSA";
  return isSignedBy(certificate, issuer) ? null : `did not sign ${describeCertificate(certificate)}, which names it as its issuer`;
}

/** As OpenSSL's security level 2 for RSA; asked here because its verdict on the chain may not be. */
function isStrongKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType === "rsa") return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048;
  if (asymmetricKeyType === "ec") return ["prime256v1", "secp384r1", "secp521r1"].includes(asymmetricKeyDetails?.namedCurve ?? "");
  return asymmetricKeyType === "ed25519" || asymmetricKeyType === "ed448";
}

function isSignedBy(certificate: ParsedCertificate, issuer: ParsedCertificate): boolean {
  try {
    return certificate.x509.verify(issuer.publicKey);
  } catch {
    // A key that OpenSSL cannot use has signed nothing.
    return false;
  }
}
