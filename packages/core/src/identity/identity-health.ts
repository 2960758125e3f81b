import { formatDuration } from "../duration.ts";
import type { WorkloadCertificate } from "./certificate.ts";
import type { CertificateState } from "./certificate-source.ts";
import { moment } from "./names/reading.ts";
import type { TrustBundle } from "./trust-bundles.ts";

interface Life {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/**
 * Share of a certificate's life that is left when its renewal is late. SPIRE and Istio renew at half of it, cert-manager with a third
 * left: with a fifth left, whoever should have renewed it has failed for a while.
 */
const LATE_SHARE = 0.2;
/** Roots live for years; people need this long to replace one. */
const ROOT_NOTICE_MS = 30 * 24 * 3_600_000;

/** A time that is no number is never inside. */
export function isValid({ notBeforeMs, notAfterMs }: Life, nowMs: number): boolean {
  return nowMs >= notBeforeMs && nowMs <= notAfterMs;
}

export interface CertificatePhase {
  readonly phase: "good" | "expiring" | "expired";
  /** Until the next phase begins; Infinity after the last. */
  readonly nextMs: number;
}

/** One that is not valid yet counts as expired: it cannot be used. */
export function phaseAt(life: Life, nowMs: number): CertificatePhase {
  const { notBeforeMs, notAfterMs } = life;
  const lateFromMs = notAfterMs - (notAfterMs - notBeforeMs) * LATE_SHARE;
  if (nowMs < notBeforeMs) return { phase: "expired", nextMs: notBeforeMs - nowMs };
  if (nowMs < lateFromMs) return { phase: "good", nextMs: lateFromMs - nowMs };
  // A certificate is valid in the whole of its last millisecond.
  return isValid(life, nowMs)
    ? { phase: "expiring", nextMs: notAfterMs - nowMs + 1 }
    : { phase: "expired", nextMs: Number.POSITIVE_INFINITY };
}

/** Which certificate, signed by whom, and how it stands with its life. */
export function wordsOf({ id, serial, issuer, notBeforeMs, notAfterMs }: WorkloadCertificate, nowMs: number): string {
  const who = `the certificate of ${id.text} (serial ${serial}, issued by "${issuer}")`;
  if (nowMs < notBeforeMs) return `${who} is not valid before ${moment(notBeforeMs)}`;
  if (nowMs <= notAfterMs)
    return `${who} expires ${moment(notAfterMs)}, in ${formatDuration(Math.max(1_000, floorSecond(notAfterMs - nowMs)))}`;
  return `${who} expired ${moment(notAfterMs)}`;
}

function floorSecond(ms: number): number {
  return Math.floor(ms / 1_000) * 1_000;
}

/** What is wrong, or about to be, with the certificate and the roots in force. */
export function identityReasons({ certificate, bundles }: CertificateState, nowMs: number): readonly string[] {
  const reasons = phaseAt(certificate, nowMs).phase === "good" ? [] : [wordsOf(certificate, nowMs)];
  const own = certificate.id.trustDomain;
  if (!bundles.byTrustDomain.has(own))
    reasons.push(`there are no roots of ${own}, the trust domain of ${certificate.id.text}, so that nobody of it can be verified`);
  for (const bundle of bundles.byTrustDomain.values()) {
    const reason = rootsReason(bundle, nowMs);
    if (reason !== null) reasons.push(reason);
  }
  return reasons;
}

/** That one of several roots expires is how they are replaced; the last is what matters. */
function rootsReason({ trustDomain, roots }: TrustBundle, nowMs: number): string | null {
  const living = roots.filter((root) => isValid(root, nowMs));
  const last = living.reduce<Life | null>((latest, root) => (latest === null || root.notAfterMs > latest.notAfterMs ? root : latest), null);
  if (last === null) return `none of the ${roots.length} roots of ${trustDomain} is valid now, so that nobody of it can be verified`;
  const noticeMs = Math.min(ROOT_NOTICE_MS, (last.notAfterMs - last.notBeforeMs) * LATE_SHARE);
  return last.notAfterMs - nowMs < noticeMs ? `the last valid root of ${trustDomain} expires ${moment(last.notAfterMs)}` : null;
}
