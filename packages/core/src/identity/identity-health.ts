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

/** How certificate and roots in force stand with their lives. */
export interface IdentityHealth {
  /** Nothing can be proved, or nobody of the own trust domain be verified: no traffic should come. */
  readonly because: readonly string[];
  /** Everything that should be is possible now, and somebody has to act for it to stay so. What a partner does wrong is no more than that. */
  readonly warnings: readonly string[];
}

export function identityHealth({ certificate, bundles }: CertificateState, nowMs: number): IdentityHealth {
  const roots = rootsHealth({ certificate, bundles }, nowMs);
  switch (phaseAt(certificate, nowMs).phase) {
    case "good":
      return roots;
    case "expiring":
      return { ...roots, warnings: [wordsOf(certificate, nowMs), ...roots.warnings] };
    case "expired":
      return { ...roots, because: [wordsOf(certificate, nowMs), ...roots.because] };
  }
}

/** The part of it that is about roots; what it says stays the same for as long as it holds. */
export function rootsHealth({ certificate, bundles }: CertificateState, nowMs: number): IdentityHealth {
  const own = certificate.id.trustDomain;
  const because: string[] = [];
  const warnings: string[] = [];
  if (!bundles.byTrustDomain.has(own))
    because.push(`there are no roots of ${own}, the trust domain of ${certificate.id.text}, so that nobody of it can be verified`);
  for (const { trustDomain, roots } of bundles.byTrustDomain.values()) {
    const last = lastValid(roots, nowMs);
    if (last === null)
      (trustDomain === own ? because : warnings).push(
        `none of the ${roots.length} roots of ${trustDomain} is valid now, so that nobody of it can be verified`,
      );
    else if (last.notAfterMs - nowMs < Math.min(ROOT_NOTICE_MS, (last.notAfterMs - last.notBeforeMs) * LATE_SHARE))
      warnings.push(`the last valid root of ${trustDomain} expires ${moment(last.notAfterMs)}`);
  }
  return { because, warnings };
}

/** That one of several roots expires is how they are replaced; the last is what matters. */
function lastValid(roots: TrustBundle["roots"], nowMs: number): Life | null {
  return roots
    .filter((root) => isValid(root, nowMs))
    .reduce<Life | null>((latest, root) => (latest === null || root.notAfterMs > latest.notAfterMs ? root : latest), null);
}
