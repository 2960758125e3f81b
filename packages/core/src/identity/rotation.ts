import { checkKeys } from "../option-keys.ts";
import type { Random } from "../random.ts";

/** When certificates are renewed. Shares are of the certificate's life, from its notBefore to its notAfter. */
export interface RotationTiming {
  /** The share of its life after which a certificate is renewed: above 0, at most 0.9. Default 0.5. */
  readonly fraction: number;
  /** By which share of its life, at most, it is renewed earlier than that, by chance: from 0 up to `fraction`. Default 0.05. */
  readonly jitter: number;
  /** However often it failed, one try comes when only this share of life is left: from 0, below 1 - `fraction`. Default 0.1. */
  readonly margin: number;
  /** Between failures: at least and at most so many milliseconds. Default 1 s and 60 s. */
  readonly backoff: { readonly minMs: number; readonly maxMs: number };
}

/**
 * Half of life is what SPIRE (`rotationutil.ShouldRotateX509`) and istio-agent (`SECRET_GRACE_PERIOD_RATIO`) take; cert-manager takes two
 * thirds. Half leaves as long for repair as has passed. Jitter keeps what was started together from renewing together, for which istio-agent
 * has `SECRET_GRACE_PERIOD_RATIO_JITTER`, 0.01; more does no harm where it only ever means earlier.
 */
export const DEFAULT_ROTATION: RotationTiming = {
  fraction: 0.5,
  jitter: 0.05,
  margin: 0.1,
  backoff: { minMs: 1_000, maxMs: 60_000 },
};

/** The life of a certificate, in wall-clock time. */
export interface Life {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const KEYS = ["fraction", "jitter", "margin", "backoff"];

/** Fills in what is not given. Throws TypeError that names the first value outside of its range, or a key that there is not. */
export function rotationTiming(given: Partial<RotationTiming> = {}, where = "rotation"): RotationTiming {
  checkKeys(given, KEYS, where);
  checkKeys(given.backoff ?? {}, ["minMs", "maxMs"], `${where}.backoff`);
  const timing = { ...DEFAULT_ROTATION, ...given };
  const { fraction, jitter, margin, backoff } = timing;
  const rules: readonly (readonly [string, boolean, string])[] = [
    [`fraction: ${fraction}`, fraction > 0 && fraction <= 0.9, "above 0 and at most 0.9"],
    [`jitter: ${jitter}`, jitter >= 0 && jitter <= fraction, `between 0 and fraction (${fraction})`],
    [`margin: ${margin}`, margin >= 0 && margin < 1 - fraction, `at least 0 and below 1 - fraction (${1 - fraction})`],
    [`backoff.minMs: ${backoff.minMs}`, backoff.minMs > 0, "above 0"],
    [`backoff.maxMs: ${backoff.maxMs}`, backoff.maxMs >= backoff.minMs && Number.isFinite(backoff.maxMs), "finite and at least minMs"],
  ];
  for (const [value, holds, rule] of rules) if (!holds) throw new TypeError(`${where}.${value} must be ${rule}`);
  return timing;
}

/** The moment to renew a certificate, in wall-clock time; drawn once for each certificate. */
export function renewalMs({ notBeforeMs, notAfterMs }: Life, { fraction, jitter }: RotationTiming, random: Random): number {
  return notBeforeMs + (notAfterMs - notBeforeMs) * (fraction - jitter * random());
}

/**
 * The moment to try again after so many failures in a row (1 is the first): full jitter over an exponentially growing span, at least
 * `minMs` so that a failing authority is not asked without a pause. A pause that would reach into the certificate's last `margin` ends
 * where that begins.
 */
export function retryMs(failures: number, life: Life | null, nowMs: number, timing: RotationTiming, random: Random): number {
  const { minMs, maxMs } = timing.backoff;
  const span = Math.min(maxMs, minMs * 2 ** Math.min(failures, 30));
  const soonest = nowMs + minMs;
  const next = Math.max(soonest, nowMs + span * random());
  if (life === null) return next;
  const marginMs = life.notAfterMs - (life.notAfterMs - life.notBeforeMs) * timing.margin;
  return nowMs < marginMs ? Math.max(soonest, Math.min(next, marginMs)) : next;
}
