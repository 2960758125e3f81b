import type { Clock, Timer } from "../clock.ts";
import { FileChanges } from "../file-changes.ts";
import type { WorkloadCertificate } from "./certificate.ts";
import { type CertificateFileAccess, nodeCertificateFiles } from "./certificate-file-access.ts";
import { readTogether } from "./certificate-file-reading.ts";
import { type FileProblem, type StateReading, stateOfFiles } from "./certificate-file-state.ts";
import { type CertificateFileSet, certificateFileSet, type IdentityFilesOptions } from "./certificate-files-options.ts";
import type { CertificateListener, CertificateSource, CertificateState } from "./certificate-source.ts";
import { moment } from "./names/reading.ts";

/** What does not belong together may be half of a rotation, of which some write one file after the other: it gets this long. */
const SETTLE_MS = 1_000;
/** What was refused may become good by itself: a certificate that is not valid yet, a clock that was wrong. */
const LOOK_AGAIN_MS = 5_000;
/** Of its life. Renewers come earlier: cert-manager when a third is left, Istio and SPIRE when half is. */
const EXPIRES_SOON_AT = 0.2;

/**
 * Identity from files, followed as they change: `..data` links as Kubernetes and cert-manager turn them, files renamed over others or
 * written in place. All are read as one set. One whose parts do not belong together (a key of another certificate, roots of another
 * authority, half a file, a certificate that is not valid now) is reported once, when it has not become whole within a second; the last
 * good one stays, and the files are looked at until they are whole again. A certificate with a fifth of its life left that was not
 * replaced is reported too. Throws TypeError for wrong options, and for nothing else.
 */
export function identityFiles(options: IdentityFilesOptions, files: CertificateFileAccess = nodeCertificateFiles): CertificateSource {
  const set = certificateFileSet(options);
  return {
    name: set.certificate,
    watch(listener, { clock }) {
      const follower = new CertificateFilesFollower(set, files, listener, clock);
      return () => follower.close();
    },
  };
}

interface Suspect {
  readonly digest: string | null;
  readonly problem: FileProblem;
}

class CertificateFilesFollower {
  readonly #set: CertificateFileSet;
  readonly #files: CertificateFileAccess;
  readonly #listener: CertificateListener;
  readonly #clock: Clock;
  readonly #changes: FileChanges;
  /** The content that the listener knows about, as told or as reported; null: content that never stood still. */
  #known: string | null | undefined;
  #good: { readonly digest: string; readonly state: CertificateState } | undefined;
  /** The listener was told of a problem that no update has ended yet. */
  #isFailing = false;
  /** Not whole, and given time to become so. */
  #suspect: Suspect | undefined;
  #expiring: WorkloadCertificate | undefined;
  #hasWarnedOfMode = false;
  #settleTimer: Timer | undefined;
  #againTimer: Timer | undefined;
  #isClosed = false;

  constructor(set: CertificateFileSet, files: CertificateFileAccess, listener: CertificateListener, clock: Clock) {
    this.#set = set;
    this.#files = files;
    this.#listener = listener;
    this.#clock = clock;
    this.#changes = new FileChanges([...set.contents.keys()], files, clock, () => this.#look());
    this.#scheduleAgain();
    this.#look();
    // Whoever starts the process waits for it to be ready, and should know at once why it is not.
    this.#reportSuspect();
  }

  close(): void {
    this.#isClosed = true;
    this.#changes.close();
    for (const timer of [this.#settleTimer, this.#againTimer]) if (timer) this.#clock.clearTimer(timer);
  }

  #scheduleAgain(): void {
    const again = (): void => {
      this.#scheduleAgain();
      if (this.#isFailing) this.#look();
      else this.#warnOfExpiry();
    };
    this.#againTimer = this.#clock.setTimer(LOOK_AGAIN_MS, again, "idle");
  }

  #look(): void {
    if (this.#isClosed) return;
    const reading = readTogether([...this.#set.contents.keys()], this.#files);
    const digest = reading.ok ? reading.value.digest : null;
    if (digest !== null && digest === this.#suspect?.digest) return;
    this.#endSuspicion();
    if (digest === this.#known && !this.#isFailing) return;
    const nowMs = this.#clock.wallTime();
    const found: StateReading = reading.ok
      ? stateOfFiles(this.#set, reading.value, nowMs, this.#good?.state)
      : { ok: false, problem: { where: this.#set.certificate, message: reading.reason } };
    if (found.ok && digest !== null) this.#tell(digest, found.value);
    else if (!found.ok && digest !== this.#known) this.#suspectThat({ digest, problem: found.problem });
  }

  #tell(digest: string, state: CertificateState): void {
    const before = this.#good?.state;
    const isSame = state.certificate === before?.certificate && state.bundles === before.bundles;
    const isToTell = !isSame || this.#isFailing;
    this.#known = digest;
    this.#good = { digest, state: isSame ? before : state };
    this.#isFailing = false;
    if (isToTell) this.#listener.update(this.#good.state);
    this.#warnOfExpiry();
    this.#warnOfMode();
  }

  #suspectThat(suspect: Suspect): void {
    this.#suspect = suspect;
    const settled = (): void => {
      this.#look();
      if (this.#suspect === suspect) this.#reportSuspect();
    };
    this.#settleTimer = this.#clock.setTimer(SETTLE_MS, settled, "idle");
  }

  #endSuspicion(): void {
    this.#suspect = undefined;
    if (this.#settleTimer) this.#clock.clearTimer(this.#settleTimer);
    this.#settleTimer = undefined;
  }

  #reportSuspect(): void {
    const suspect = this.#suspect;
    if (!suspect) return;
    this.#endSuspicion();
    this.#known = suspect.digest;
    this.#isFailing = true;
    const { where, message } = suspect.problem;
    this.#listener.problem({ where, message: `${message}; ${this.#consequence()}`, severity: "error" });
  }

  #consequence(): string {
    const certificate = this.#good?.state.certificate;
    if (certificate === undefined) return "there is no identity until the files are whole, which are followed";
    const { id, serial, notAfterMs } = certificate;
    const until = moment(notAfterMs);
    return this.#clock.wallTime() > notAfterMs
      ? `the last good certificate, of ${id.text} (serial ${serial}), expired ${until}: there is no identity until the files are whole, which are followed`
      : `the last good certificate and roots, of ${id.text} (serial ${serial}), stay in force until ${until}`;
  }

  #warnOfExpiry(): void {
    const certificate = this.#good?.state.certificate;
    if (this.#isClosed || certificate === undefined || certificate === this.#expiring) return;
    const { notBeforeMs, notAfterMs, id, serial } = certificate;
    if (this.#clock.wallTime() < notAfterMs - EXPIRES_SOON_AT * (notAfterMs - notBeforeMs)) return;
    this.#expiring = certificate;
    const what = `the certificate of ${id.text} (serial ${serial}) expires ${moment(notAfterMs)}`;
    const message = `${what} and has less than a fifth of its life left, expected a new one by now; it stays in force until then, and the file is followed`;
    this.#listener.problem({ where: this.#set.certificate, message, severity: "warning" });
  }

  #warnOfMode(): void {
    if (this.#isClosed || this.#hasWarnedOfMode) return;
    const mode = this.#files.exposedMode(this.#set.key);
    if (mode === null) return;
    this.#hasWarnedOfMode = true;
    const message = `the private key can be read by every user of this machine: found mode ${mode.toString(8).padStart(4, "0")}, expected 0600 or 0640; it is used all the same`;
    this.#listener.problem({ where: this.#set.key, message, severity: "warning" });
  }
}
