import { MAX_CHAIN } from "./certificate.ts";
import { isNamedAsIssuer, type Purpose, purposeProblem, signatureProblem, validityProblem } from "./issuing.ts";
import type { SpiffeId } from "./names/spiffe-id.ts";
import type { SpiffeIdMatcher } from "./names/spiffe-id-matcher.ts";
import type { TrustBundle, TrustBundles } from "./trust-bundles.ts";
import { findTrustPath, type TrustPath } from "./trust-path.ts";
import { describeCertificate, fingerprintOf, nameText, type ParsedCertificate, parseCertificate } from "./x509.ts";
import { readSvid } from "./x509-svid.ts";

/** Who is at the other end, verified. */
export interface Peer {
  readonly id: SpiffeId;
  readonly serial: string;
  /** Names of those who signed, from the leaf's issuer to the root, for people. */
  readonly signedBy: readonly string[];
  readonly fingerprint: string;
  /** Until when all of its path is valid: a connection must not outlive it. */
  readonly notAfterMs: number;
}

export type PeerRefusal =
  | "no_certificate"
  | "too_many_certificates"
  | "malformed_certificate"
  | "not_an_svid"
  | "unknown_trust_domain"
  | "not_valid_now"
  | "untrusted"
  | "unexpected_id";

export type PeerVerdict =
  | { readonly ok: true; readonly peer: Peer }
  | { readonly ok: false; readonly code: PeerRefusal; readonly reason: string };

export interface PeerQuestion {
  /** DER, the leaf first. What TLS says was presented; that the peer holds the leaf's key is TLS's to prove. */
  readonly presented: readonly Uint8Array[];
  readonly bundles: TrustBundles;
  /** Wall-clock time. */
  readonly nowMs: number;
  /** What the peer is in this handshake. */
  readonly purpose: Purpose;
  /** Whoever matches one may be at the other end; an empty list is nobody. Null asks only who it is. */
  readonly expected: readonly SpiffeIdMatcher[] | null;
}

export interface PeerVerifier {
  verify(question: PeerQuestion): PeerVerdict;
  /** How many verified leaves are remembered. */
  readonly remembered: number;
}

interface Remembered {
  readonly peer: Peer;
  readonly bundleVersion: string;
  readonly notBeforeMs: number;
}

const MAX_REMEMBERED = 1_000;

/**
 * Decides who a presented chain belongs to (X509-SVID section 5): a leaf that is an X509-SVID, and a path from it to a root of its ID's
 * own trust domain. Roots of other trust domains count for nothing, whatever they signed.
 *
 * Leaves that were found good are remembered, by fingerprint, purpose and the version of the bundle they were found good under: that
 * somebody's root signed them stays true, whichever intermediates come along next time. Their life is looked at each time, and so is
 * `expected`. Refusals are not remembered: another chain may do, and strangers must not fill the memory.
 */
export function peerVerifier(options: { readonly maxRemembered?: number } = {}): PeerVerifier {
  const maxRemembered = options.maxRemembered ?? MAX_REMEMBERED;
  const memory = new Map<string, Remembered>();
  return {
    verify(question) {
      const leaf = question.presented[0];
      if (leaf === undefined) return refusal("no_certificate", "the peer presented no certificate, expected an X509-SVID");
      if (question.presented.length > MAX_CHAIN)
        return refusal(
          "too_many_certificates",
          `the peer presented ${question.presented.length} certificates, expected at most ${MAX_CHAIN}`,
        );
      const key = `${question.purpose} ${fingerprintOf(leaf)}`;
      const known = memory.get(key);
      memory.delete(key);
      const verified = known !== undefined && isStillGood(known, question) ? known : verifyChain(leaf, question);
      if ("ok" in verified) return verified;
      memory.set(key, verified);
      if (memory.size > maxRemembered) for (const [oldest] of memory) if (memory.delete(oldest)) break;
      return expectOneOf(verified.peer, question.expected);
    },
    get remembered() {
      return memory.size;
    },
  };
}

function isStillGood({ peer, bundleVersion, notBeforeMs }: Remembered, { bundles, nowMs }: PeerQuestion): boolean {
  const current = bundles.byTrustDomain.get(peer.id.trustDomain);
  return current?.version === bundleVersion && nowMs >= notBeforeMs && nowMs <= peer.notAfterMs;
}

function verifyChain(leafDer: Uint8Array, question: PeerQuestion): Remembered | Extract<PeerVerdict, { ok: false }> {
  const parsed = parseCertificate(leafDer);
  if (!parsed.ok) return refusal("malformed_certificate", `the peer's certificate ${parsed.reason}`);
  const leaf = parsed.value;
  const id = readSvid(leaf);
  if (!id.ok) return refusal("not_an_svid", `the peer's certificate, issued by ${nameText(leaf, "issuer")}, ${id.reason}`);
  const who = `the certificate of ${id.value.text}, issued by ${nameText(leaf, "issuer")},`;
  const bundle = question.bundles.byTrustDomain.get(id.value.trustDomain);
  if (bundle === undefined)
    return refusal(
      "unknown_trust_domain",
      `${who} is of a trust domain without a bundle here; known are ${listed(question.bundles.byTrustDomain.keys())}`,
    );
  const validity = validityProblem(leaf, question.nowMs);
  if (validity !== null) return refusal("not_valid_now", `${who} ${validity}`);
  const purpose = purposeProblem(leaf, question.purpose);
  if (purpose !== null) return refusal("not_an_svid", `${who} ${purpose}`);
  const intermediates: ParsedCertificate[] = [];
  for (const [index, der] of question.presented.slice(1).entries()) {
    const certificate = parseCertificate(der);
    if (!certificate.ok)
      return refusal("malformed_certificate", `certificate ${index + 2} that ${id.value.text} presented ${certificate.reason}`);
    intermediates.push(certificate.value);
  }
  const answer = findTrustPath({ leaf, intermediates, roots: bundle.roots, nowMs: question.nowMs, purpose: question.purpose });
  if (answer.found === null) {
    const foreign = foreignSigner([leaf, ...intermediates], id.value.trustDomain, question.bundles);
    const why = foreign === null ? listedReasons(answer.reasons) : `it was signed by ${foreign}`;
    return refusal("untrusted", `${who} has no path to a root of ${id.value.trustDomain}: ${why}`);
  }
  return remember(leaf, id.value, bundle, answer.found);
}

function remember(leaf: ParsedCertificate, id: SpiffeId, bundle: TrustBundle, path: TrustPath): Remembered {
  const { serial, fingerprint } = leaf;
  const signedBy = path.issuers.map((issuer) => nameText(issuer, "subject"));
  return {
    bundleVersion: bundle.version,
    notBeforeMs: path.notBeforeMs,
    peer: { id, serial, fingerprint, signedBy, notAfterMs: path.notAfterMs },
  };
}

/** Foreign roots that are asked, at most, whether it was them. */
const MAX_FOREIGN = 8;

/** For the message alone: the root of another trust domain that signed one of these, or null. */
function foreignSigner(chain: readonly ParsedCertificate[], own: string, { byTrustDomain }: TrustBundles): string | null {
  let asked = 0;
  for (const { trustDomain, roots } of byTrustDomain.values()) {
    if (trustDomain === own) continue;
    for (const root of roots) {
      for (const certificate of chain) {
        if (!isNamedAsIssuer(certificate, root)) continue;
        if (signatureProblem(certificate, root) === null)
          return `${describeCertificate(root)}, a root of ${trustDomain}, which may not name ${own}`;
        if (++asked === MAX_FOREIGN) return null;
      }
    }
  }
  return null;
}

function expectOneOf(peer: Peer, expected: readonly SpiffeIdMatcher[] | null): PeerVerdict {
  if (expected === null || expected.some((matcher) => matcher.matches(peer.id))) return { ok: true, peer };
  const allowed = expected.length === 0 ? "nobody" : listed(expected.map((matcher) => matcher.pattern));
  return refusal("unexpected_id", `the peer is ${peer.id.text}, signed by ${peer.signedBy.join(", then ")}; expected ${allowed}`);
}

function refusal(code: PeerRefusal, reason: string): Extract<PeerVerdict, { ok: false }> {
  return { ok: false, code, reason };
}

const MOST_LISTED = 5;

function listed(words: Iterable<string>): string {
  const all = [...words];
  if (all.length === 0) return "none";
  return all.length <= MOST_LISTED ? all.join(", ") : `${all.slice(0, MOST_LISTED).join(", ")} and ${all.length - MOST_LISTED} more`;
}

function listedReasons(reasons: readonly string[]): string {
  return reasons.slice(0, MOST_LISTED).join("; ");
}
