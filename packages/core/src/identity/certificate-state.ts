import type { WorkloadCertificate } from "./certificate.ts";
import type { CertificateState } from "./certificate-source.ts";
import { type Reading, read, refused } from "./names/reading.ts";
import { type TrustBundle, trustBundles } from "./trust-bundles.ts";
import { peerVerifier } from "./verify-peer.ts";
import { sameBytes } from "./x509.ts";

/**
 * Certificate and bundles as one state, for a source to tell, or why they do not belong together. What is as in `previous` is the same
 * object.
 */
export function certificateState(
  certificate: WorkloadCertificate,
  bundles: Iterable<TrustBundle>,
  previous: CertificateState | null,
  nowMs: number,
): Reading<CertificateState> {
  const state = { certificate: sameCertificate(certificate, previous), bundles: trustBundles(bundles, previous?.bundles) };
  const stranger = strangerProblem(state, nowMs);
  return stranger === null ? read(state) : refused(stranger);
}

/** So that new roots alone do not look like a new certificate. */
function sameCertificate(certificate: WorkloadCertificate, previous: CertificateState | null): WorkloadCertificate {
  const before = previous?.certificate;
  if (before?.chain.length !== certificate.chain.length) return certificate;
  return before.chain.every((der, index) => sameBytes(der, certificate.chain[index] ?? new Uint8Array())) ? before : certificate;
}

/**
 * Why peers with the same roots would refuse this certificate, or null: then the roots are those of another authority, or the half of a
 * rotation. A certificate for servers or clients alone is one all the same.
 */
function strangerProblem({ certificate, bundles }: CertificateState, nowMs: number): string | null {
  const verifier = peerVerifier();
  const ask = (purpose: "server" | "client") => verifier.verify({ presented: certificate.chain, bundles, nowMs, purpose, expected: null });
  const asServer = ask("server");
  if (asServer.ok) return null;
  const asClient = ask("client");
  if (asClient.ok) return null;
  const { reason } = asServer.code === "not_an_svid" ? asClient : asServer;
  return `${reason}; expected the roots of the certificate's own authority`;
}
