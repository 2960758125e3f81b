import { createHash, X509Certificate } from "node:crypto";
import type { CertificateState } from "@heddle/core";

/**
 * Why certificate, key and bundles do not belong together, or null. Asks OpenSSL and not the code that reads certificates for the mesh:
 * the suite is to find what that one gets wrong.
 */
export function setProblem({ certificate, bundles }: CertificateState, nowMs: number): string | null {
  const chain = certificate.chain.map((der) => new X509Certificate(der));
  const [leaf] = chain;
  const whose = `the certificate of ${certificate.id.text} (serial ${certificate.serial})`;
  if (leaf === undefined) return `${whose} has an empty chain`;
  const fingerprint = createHash("sha256").update(leaf.raw).digest("hex");
  if (certificate.fingerprint !== fingerprint)
    return `${whose} has the fingerprint ${certificate.fingerprint}, its first certificate has ${fingerprint}`;
  if (!leaf.checkPrivateKey(certificate.privateKey)) return `the key of ${whose} belongs to another certificate`;
  if (nowMs < certificate.notBeforeMs || nowMs > certificate.notAfterMs) return `${whose} is not valid now`;
  const bundle = bundles.byTrustDomain.get(certificate.id.trustDomain);
  if (bundle === undefined) return `there is no bundle of ${certificate.id.trustDomain}, the trust domain of ${whose}`;
  const roots = bundle.roots.map((root) => root.x509);
  return leadsTo(leaf, chain.slice(1), roots) ? null : `${whose} does not lead to a root of its trust domain's bundle`;
}

function leadsTo(leaf: X509Certificate, issuers: readonly X509Certificate[], roots: readonly X509Certificate[]): boolean {
  let last = leaf;
  for (const issuer of [...issuers, null]) {
    if (roots.some((root) => isSignedBy(last, root))) return true;
    if (issuer === null || !isSignedBy(last, issuer)) return false;
    last = issuer;
  }
  return false;
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
