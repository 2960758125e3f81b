import type { DetailedPeerCertificate, PeerCertificate } from "node:tls";
import { MAX_CHAIN } from "./certificate.ts";

/**
 * The chain behind a leaf, DER, as `getPeerCertificate(true)` and `checkServerIdentity` have it: what the peer presented, as far as each is
 * followed by its issuer, and the root if OpenSSL has found one. Empty if nothing was presented.
 *
 * Not from `getPeerX509Certificate`, which takes the chain out of the connection: whoever asks next finds nothing, or what was behind. On
 * a socket of `tls.Server` Node asks it first, and the leaf is all that is left (nodejs/node#65579). So a listener has to make its
 * `TLSSocket` itself.
 */
export function presentedChain(leaf: PeerCertificate | DetailedPeerCertificate): readonly Uint8Array[] {
  const chain: Uint8Array[] = [];
  const seen = new Set<object>();
  let certificate: PeerCertificate | DetailedPeerCertificate | undefined = leaf;
  // No certificate is an empty object, and a root is its own issuer.
  while (certificate?.raw !== undefined && !seen.has(certificate) && chain.length < MAX_CHAIN) {
    seen.add(certificate);
    chain.push(certificate.raw);
    certificate = "issuerCertificate" in certificate ? certificate.issuerCertificate : undefined;
  }
  return chain;
}
