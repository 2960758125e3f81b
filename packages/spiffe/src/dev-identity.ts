import {
  type CertificateListener,
  type CertificateSource,
  type CertificateState,
  type CertificateSurroundings,
  certificateFromDer,
  checkKeys,
  type Duration,
  durationMs,
  moment,
  parseTrustDomain,
  type Reading,
  RotationSchedule,
  type RotationTiming,
  rotationTiming,
  segmentProblem,
  spiffeId,
  type Timer,
  type TrustBundles,
  trustBundles,
  type WorkloadCertificate,
} from "@heddle/core";
import { type Authority, newKeyPair } from "./authority.ts";
import { type AuthorityFolder, authorityFolder, ensureAuthority, folderStamp, readAuthorityFolder } from "./authority-folder.ts";

/** Every field may be left out. */
export interface DevIdentityOptions {
  /** The folder of the authority, as `heddle ca init` writes it; made where it is missing. Default: `.heddle/ca` below the working directory. */
  readonly dir?: string;
  /** The name alone. Default: that of the authority in `dir`; a new one is of `heddle.test`. */
  readonly trustDomain?: string;
  /** Whose certificate it is: one segment of a path. Default: the service that the process joins as. */
  readonly service?: string;
  /** How long a certificate is valid, from `2s` to `24h`. Default: `1h`. */
  readonly lifetime?: Duration;
  /** When in its life it is renewed, and how what failed is tried again. Default: after half of it, at most 5 % of it earlier by chance. */
  readonly rotation?: Partial<RotationTiming>;
  /** Issues although NODE_ENV is `production`. Default: false. */
  readonly allowInProduction?: boolean;
}

/** What it asks of the process, passed in for tests. */
export interface DevSurroundings {
  readonly nodeEnv: string | undefined;
}

export const DEV_DIR = ".heddle/ca";
export const DEV_TRUST_DOMAIN = "heddle.test";
/** A root that lies about for longer is worth making anew. */
export const DEV_ROOT_LIFETIME_MS: number = 365 * 24 * 3_600_000;
const KEYS = ["dir", "trustDomain", "service", "lifetime", "rotation", "allowInProduction"];
const SHORTEST_MS = 2_000;
const POLL_MS = 1_000;
/** Folders that this process was warned of: one that runs several meshes is told once. */
const WARNED_OF = new Set<string>();
const MAKE_ANOTHER = "make another in its place: take the folder away and run heddle ca init";

/**
 * An identity for development: `spiffe://{trustDomain}/{service}`, signed by an authority whose key lies in a folder, held in memory, renewed
 * at half of its life or as `rotation` says. Processes that share the folder trust each other; who can read the folder can be any of them, so this is not for
 * production, which it says in a warning. With NODE_ENV=production it gives no identity, unless `allowInProduction`.
 * A changed `ca.crt` or `ca.key` is in force after 2 s at most; `ca.crt` may hold old and new root together.
 * Throws TypeError for options that are wrong; what is wrong with the folder is told to the listener, and looked at again until it is well.
 */
export function devIdentity(
  options: DevIdentityOptions = {},
  surroundings: DevSurroundings = { nodeEnv: process.env.NODE_ENV },
): CertificateSource {
  checkKeys(options, KEYS, "identity.dev");
  const { dir = DEV_DIR, service = null, lifetime = "1h" } = options;
  const lifetimeMs = durationMs(lifetime, "identity.dev lifetime");
  if (lifetimeMs < SHORTEST_MS) throw new TypeError(`identity.dev lifetime: ${String(lifetime)} must be at least ${SHORTEST_MS / 1_000}s`);
  const timing = rotationTiming(options.rotation, "identity.dev rotation");
  const trustDomain = options.trustDomain === undefined ? null : checked(parseTrustDomain(options.trustDomain));
  if (service !== null) checkSegment(service);
  const folder = authorityFolder(dir);
  const isRefused = surroundings.nodeEnv === "production" && options.allowInProduction !== true;
  return {
    name: `development authority ${folder.path}`,
    watch(listener, given) {
      const problem = (message: string): void => listener.problem({ where: folder.path, message, severity: "error" });
      if (isRefused) {
        problem(
          "identity.dev gives no identity where NODE_ENV is production, for its authority's key lies in a folder; use identity.workloadApi or identity.files, or say allowInProduction: true",
        );
        return () => {};
      }
      const who = service ?? given.service;
      if (who === null) {
        problem("identity.dev does not know whose certificate to issue: join as a service, or say identity.dev({ service })");
        return () => {};
      }
      const inName = segmentProblem(who);
      if (inName !== null) {
        problem(`identity.dev cannot issue for the service ${JSON.stringify(who)}: ${inName}; say identity.dev({ service })`);
        return () => {};
      }
      const identity = new DevIdentity({ folder, trustDomain, service: who, lifetimeMs, timing }, listener, given);
      return () => identity.close();
    },
  };
}

function checked<Value>(reading: { ok: true; value: Value } | { ok: false; reason: string }): Value {
  if (!reading.ok) throw new TypeError(`identity.dev ${reading.reason}`);
  return reading.value;
}

function checkSegment(service: string): void {
  const problem = segmentProblem(service);
  if (problem !== null) throw new TypeError(`identity.dev service: ${JSON.stringify(service)}: ${problem}`);
}

interface DevSettings {
  readonly folder: AuthorityFolder;
  readonly trustDomain: string | null;
  readonly service: string;
  readonly lifetimeMs: number;
  readonly timing: RotationTiming;
}

/** Follows the folder and keeps a certificate from what is in it. */
class DevIdentity {
  readonly #settings: DevSettings;
  readonly #listener: CertificateListener;
  readonly #surroundings: CertificateSurroundings;
  readonly #schedule: RotationSchedule;
  #authority: Authority | null = null;
  #bundles: TrustBundles | undefined;
  /** The stamp of what was last read, and of what was last seen. */
  #readStamp: string;
  #seenStamp: string;
  /** The last problems that nothing has ended. */
  #folderProblem: string | null = null;
  #issueProblem: string | null = null;
  #last: CertificateState | null = null;
  #warnedOf: Authority | null = null;
  #timer: Timer | null = null;
  #isClosed = false;

  constructor(settings: DevSettings, listener: CertificateListener, surroundings: CertificateSurroundings) {
    this.#settings = settings;
    this.#listener = listener;
    this.#surroundings = surroundings;
    const { clock, random } = surroundings;
    this.#schedule = new RotationSchedule({ clock, random, timing: settings.timing, renew: () => this.#issue() });
    const { path } = settings.folder;
    if (!WARNED_OF.has(path)) {
      WARNED_OF.add(path);
      const message = `identity.dev is NOT FOR PRODUCTION: whoever can read ${path} can be any service of this mesh`;
      listener.problem({ where: path, message, severity: "warning" });
    }
    this.#start();
    this.#readStamp = folderStamp(settings.folder);
    this.#seenStamp = this.#readStamp;
    this.#poll();
  }

  close(): void {
    this.#isClosed = true;
    this.#schedule.close();
    if (this.#timer) this.#surroundings.clock.clearTimer(this.#timer);
  }

  #start(): void {
    const { folder, trustDomain } = this.#settings;
    const nowMs = this.#surroundings.clock.wallTime();
    const made = ensureAuthority(folder, { trustDomain, newTrustDomain: DEV_TRUST_DOMAIN, nowMs, lifetimeMs: DEV_ROOT_LIFETIME_MS });
    if (made.ok) this.#take(made.value.authority);
    else this.#tell(made.reason);
  }

  #poll(): void {
    if (this.#isClosed) return;
    const look = (): void => {
      const stamp = folderStamp(this.#settings.folder);
      // Two files are not written at once: what has just changed gets until the next look to become whole.
      if (stamp !== this.#readStamp && stamp === this.#seenStamp) this.#reread(stamp);
      this.#seenStamp = stamp;
      this.#poll();
    };
    this.#timer = this.#surroundings.clock.setTimer(POLL_MS, look, "idle");
  }

  #reread(stamp: string): void {
    this.#readStamp = stamp;
    const { folder, trustDomain } = this.#settings;
    const found = readAuthorityFolder(folder);
    if (!found.ok) this.#tell(found.reason);
    else if (found.value === null) this.#tell("the authority is gone; the last certificate stands until it expires, and none follows it");
    // The trust domain of a running process does not change: its peers' policies name its IDs.
    else if (found.value.trustDomain !== (trustDomain ?? this.#authority?.trustDomain ?? found.value.trustDomain))
      this.#tell(
        `the authority is now of ${found.value.trustDomain}, expected ${trustDomain ?? this.#authority?.trustDomain}; the last one stays in force`,
      );
    else this.#take(found.value);
  }

  #take(authority: Authority): void {
    const wasBroken = this.#folderProblem !== null;
    this.#folderProblem = null;
    if (this.#authority === null || !isSame(authority, this.#authority)) {
      this.#authority = authority;
      this.#bundles = trustBundles([authority.bundle], this.#bundles);
      this.#issue();
    } else if (wasBroken && this.#last !== null) this.#listener.update(this.#last);
  }

  #issue(): void {
    const bundles = this.#bundles;
    if (this.#isClosed || bundles === undefined) return;
    const certificate = this.#newCertificate(this.#surroundings.clock.wallTime());
    if (certificate === null) return;
    if (!certificate.ok) {
      if (certificate.reason !== this.#issueProblem) this.#report(`${certificate.reason}; ${MAKE_ANOTHER}`);
      this.#issueProblem = certificate.reason;
      this.#schedule.failed();
      return;
    }
    this.#issueProblem = null;
    // From now, and not from its backdated beginning: a short life would be over half before it began.
    this.#schedule.renewed({ notBeforeMs: this.#surroundings.clock.wallTime(), notAfterMs: certificate.value.notAfterMs });
    this.#last = { certificate: certificate.value, bundles };
    this.#listener.update(this.#last);
    this.#warnOfEnd();
    // An update reads as if all were well.
    if (this.#folderProblem !== null) this.#report(this.#folderProblem);
  }

  /** Once for each authority, in the last tenth of its life: certificates end with it. */
  #warnOfEnd(): void {
    const authority = this.#authority;
    if (authority === null || this.#warnedOf === authority) return;
    const leftMs = authority.notAfterMs - this.#surroundings.clock.wallTime();
    if (leftMs > (authority.notAfterMs - authority.notBeforeMs) / 10) return;
    this.#warnedOf = authority;
    const message = `the authority expires ${moment(authority.notAfterMs)}, and every certificate with it; ${MAKE_ANOTHER}`;
    this.#listener.problem({ where: this.#settings.folder.path, message, severity: "warning" });
  }

  #newCertificate(nowMs: number): Reading<WorkloadCertificate> | null {
    const { service, lifetimeMs, folder } = this.#settings;
    if (this.#authority === null) return null;
    const id = spiffeId(this.#authority.trustDomain, service);
    if (!id.ok) return id;
    const { privateKey, publicKey } = newKeyPair();
    const issued = this.#authority.issue(publicKey, { id: id.value, nowMs, lifetimeMs });
    if (!issued.ok) return issued;
    const key = privateKey.export({ type: "pkcs8", format: "der" });
    return certificateFromDer({ chain: Buffer.concat(issued.value.chain), key, from: folder.path }, nowMs);
  }

  /** Once, until something else is wrong or all is well. */
  #tell(message: string): void {
    if (message === this.#folderProblem) return;
    this.#folderProblem = message;
    this.#report(message);
  }

  #report(message: string): void {
    this.#listener.problem({ where: this.#settings.folder.path, message, severity: "error" });
  }
}

function isSame(one: Authority, other: Authority): boolean {
  return one.bundle.version === other.bundle.version && one.signer.publicKey.equals(other.signer.publicKey);
}
