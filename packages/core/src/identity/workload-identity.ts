import type { Clock, Timer } from "../clock.ts";
import { MeshError } from "../errors.ts";
import type { Problem } from "../model/problem.ts";
import type { Random } from "../random.ts";
import type { WorkloadCertificate } from "./certificate.ts";
import type { CertificateSource, CertificateState } from "./certificate-source.ts";
import { type IdentityHealth, identityHealth, isValid, phaseAt, rootsHealth, wordsOf } from "./identity-health.ts";
import { moment } from "./names/reading.ts";
import type { TrustBundles } from "./trust-bundles.ts";

export interface WorkloadIdentityOptions {
  readonly source: CertificateSource;
  readonly clock: Clock;
  readonly random: Random;
  /** The service this process joins as; null: client only. */
  readonly service: string | null;
  report(problem: Problem): void;
}

/** What may be used for handshakes now. */
export interface IdentityInForce extends CertificateState {
  /** Another number is another certificate or other roots. */
  readonly generation: number;
}

export interface IdentityChange {
  /**
   * Until when connections made before may be trusted, in wall-clock time: the former certificate's expiry, or now where a root was
   * withdrawn that they may have been verified by.
   */
  readonly formerUntilMs: number;
}

/** For people; no key material. */
export interface IdentityInspection {
  readonly source: string;
  readonly certificate: {
    readonly id: string;
    readonly serial: string;
    readonly issuer: string;
    readonly fingerprint: string;
    readonly notBefore: string;
    readonly notAfter: string;
    readonly isValid: boolean;
  } | null;
  readonly trustDomains: readonly { readonly name: string; readonly roots: number; readonly validRoots: number }[];
  /** How often certificate or roots changed. */
  readonly generation: number;
  /** What the source said last, unless it has brought a good certificate since. */
  readonly lastProblem: string | null;
}

/** The life of a certificate is looked at this often at least: the wall clock may jump, and a timer holds 24 days at most. */
const LONGEST_LOOK_MS = 60_000;

/**
 * Who this process is, as its certificate source says. What was good stays in force until its own expiry, whatever the source does or
 * says; then nothing is handed out any more. Wall-clock time is asked at each use, so that a jump is seen at once.
 */
export class WorkloadIdentity {
  readonly #source: CertificateSource;
  readonly #clock: Clock;
  readonly #report: (problem: Problem) => void;
  readonly #listeners = new Set<(change: IdentityChange) => void>();
  readonly #stop: () => void;
  #inForce: IdentityInForce | null = null;
  #first: () => void = () => {};
  readonly #expiryListeners = new Set<() => void>();
  #generation = 0;
  #lastProblem: string | null = null;
  #reportedPhase: "good" | "expiring" | "expired" = "good";
  /** What was said of the roots at the last look. */
  #reportedRoots: ReadonlySet<string> = new Set();
  #timer: Timer | null = null;
  #isClosed = false;

  constructor({ source, clock, random, service, report }: WorkloadIdentityOptions) {
    this.#source = source;
    this.#clock = clock;
    this.#report = report;
    this.#stop = source.watch(
      { update: (state) => this.#update(state), problem: (problem) => this.#hear(problem) },
      { clock, random, service },
    );
  }

  get sourceName(): string {
    return this.#source.name;
  }

  /** A first certificate came. Until then a process that has a source is not ready. */
  get isKnown(): boolean {
    return this.#inForce !== null;
  }

  /** What the source said last that was good, whether it is still valid or not. */
  get latest(): CertificateState | null {
    return this.#inForce;
  }

  /** There is a certificate, and it is valid now. */
  get isValid(): boolean {
    return this.#inForce !== null && isValid(this.#inForce.certificate, this.#clock.wallTime());
  }

  /** Certificate and roots for a handshake now. Throws a MeshError `no_identity` where there is no certificate that is valid now. */
  inForce(): IdentityInForce {
    const state = this.#inForce;
    if (state === null)
      throw new MeshError("no_identity", `this process has no certificate: ${this.#source.name} has given none yet${this.#lastWords()}`);
    if (isValid(state.certificate, this.#clock.wallTime())) return state;
    throw new MeshError("no_identity", `this process has no certificate that is valid now: ${this.#expiry(state.certificate)}`);
  }

  /** Calls back once, with the first certificate. */
  onFirst(listener: () => void): void {
    if (this.isKnown) listener();
    else this.#first = listener;
  }

  /** Calls back when the certificate expires with none in its place. Returns a function that ends it. */
  onExpiry(listener: () => void): () => void {
    this.#expiryListeners.add(listener);
    return () => void this.#expiryListeners.delete(listener);
  }

  /** Calls back when certificate or roots changed. Returns a function that ends it. */
  onChange(listener: (change: IdentityChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** What keeps this process from working, and what will; both empty while all is well. Warnings begin well before an expiry. */
  health(): IdentityHealth {
    if (this.#inForce === null)
      return { because: [`identity: ${this.#source.name} has given no certificate yet${this.#lastWords()}`], warnings: [] };
    const { because, warnings } = identityHealth(this.#inForce, this.#clock.wallTime());
    const worded = (reason: string) => `identity: ${reason}; ${this.#sourceWords()}`;
    return { because: because.map(worded), warnings: warnings.map(worded) };
  }

  inspect(): IdentityInspection {
    const now = this.#clock.wallTime();
    const certificate = this.#inForce?.certificate ?? null;
    return {
      source: this.#source.name,
      certificate: certificate && {
        id: certificate.id.text,
        serial: certificate.serial,
        issuer: certificate.issuer,
        fingerprint: certificate.fingerprint,
        notBefore: moment(certificate.notBeforeMs),
        notAfter: moment(certificate.notAfterMs),
        isValid: isValid(certificate, now),
      },
      trustDomains: [...(this.#inForce?.bundles.byTrustDomain.values() ?? [])].map(({ trustDomain, roots }) => ({
        name: trustDomain,
        roots: roots.length,
        validRoots: roots.filter((root) => isValid(root, now)).length,
      })),
      generation: this.#generation,
      lastProblem: this.#lastProblem,
    };
  }

  /** Stops watching. What is in force stays until it expires: requests may still be under way. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listeners.clear();
    this.#expiryListeners.clear();
    if (this.#timer) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
    this.#stop();
  }

  #update({ certificate, bundles }: CertificateState): void {
    if (this.#isClosed) return;
    const now = this.#clock.wallTime();
    const former = this.#inForce;
    if (!isValid(certificate, now) && former !== null && isValid(former.certificate, now)) {
      const message = `${wordsOf(certificate, now)}; the one before, ${former.certificate.toString()}, stays in force`;
      this.#hear({ where: this.#source.name, message, severity: "error" });
      return;
    }
    this.#lastProblem = null;
    const isSame = former?.certificate.fingerprint === certificate.fingerprint && former.bundles.version === bundles.version;
    if (isSame) return;
    this.#generation++;
    this.#inForce = { certificate, bundles, generation: this.#generation };
    this.#reportedPhase = "good";
    this.#look();
    if (former === null) {
      this.#first();
      return;
    }
    const change = { formerUntilMs: hasWithdrawn(former.bundles, bundles) ? now : former.certificate.notAfterMs };
    for (const listener of [...this.#listeners]) listener(change);
  }

  #hear(problem: Problem): void {
    if (this.#isClosed) return;
    // A source of several files says which of them is meant; it is itself named by one.
    const { where, message } = problem;
    this.#lastProblem = where === this.#source.name ? message : `${where}: ${message}`;
    this.#report(problem);
  }

  /** Says once of each certificate that it is about to expire, and once that it has; and once what is wrong with roots. */
  #look(): void {
    if (this.#timer) this.#clock.clearTimer(this.#timer);
    this.#timer = null;
    if (this.#isClosed || this.#inForce === null) return;
    this.#lookAtRoots(this.#inForce);
    const { certificate } = this.#inForce;
    const { phase, nextMs } = phaseAt(certificate, this.#clock.wallTime());
    if (phase !== this.#reportedPhase) {
      this.#reportedPhase = phase;
      if (phase !== "good") {
        const severity = phase === "expired" ? "error" : "warning";
        this.#report({ where: this.#source.name, message: this.#expiry(certificate), severity });
        if (phase === "expired") for (const listener of [...this.#expiryListeners]) listener();
      }
    }
    this.#timer = this.#clock.setTimer(Math.min(nextMs, LONGEST_LOOK_MS), () => this.#look(), "idle");
  }

  #lookAtRoots(state: CertificateState): void {
    const { because, warnings } = rootsHealth(state, this.#clock.wallTime());
    const tell = (reasons: readonly string[], severity: Problem["severity"]) => {
      for (const reason of reasons)
        if (!this.#reportedRoots.has(reason))
          this.#report({ where: this.#source.name, message: `${reason}; ${this.#sourceWords()}`, severity });
    };
    tell(because, "error");
    tell(warnings, "warning");
    this.#reportedRoots = new Set([...because, ...warnings]);
  }

  #expiry(certificate: WorkloadCertificate): string {
    return `${wordsOf(certificate, this.#clock.wallTime())}; ${this.#sourceWords()}`;
  }

  #sourceWords(): string {
    return `${this.#source.name} has brought no other${this.#lastWords()}`;
  }

  #lastWords(): string {
    return this.#lastProblem === null ? "" : `; it said last: ${this.#lastProblem}`;
  }
}

/** A root of before is not among those of now. */
function hasWithdrawn(former: TrustBundles, current: TrustBundles): boolean {
  for (const [trustDomain, { roots }] of former.byTrustDomain) {
    const kept = new Set(current.byTrustDomain.get(trustDomain)?.roots.map((root) => root.fingerprint));
    if (roots.some((root) => !kept.has(root.fingerprint))) return true;
  }
  return false;
}
