import {
  type Clock,
  checkKeys,
  type Duration,
  durationMs,
  parseSpiffeId,
  type Reading,
  type SpiffeId,
  spiffeId,
  systemClock,
  type TrustBundles,
  trustBundles,
} from "@heddle/core";
import { Authority, newKeyPair, writeCertificate } from "@heddle/spiffe";
import { TestCertificate } from "./test-certificate.ts";
import { TestCertificateSource } from "./test-certificate-source.ts";
import { type WrongCertificate, wrongCertificate } from "./wrong-certificates.ts";

/** Every field may be left out. */
export interface TestAuthorityOptions {
  /** The name alone. Default: `shop.test`. */
  readonly trustDomain?: string;
  /** Whose wall clock it lives by. Default: the system's. */
  readonly clock?: Pick<Clock, "wallTime">;
  /** How long certificates are valid, at most 24 h. Default: `1h`. Roots are for a year. */
  readonly lifetime?: Duration;
}

/** Every field may be left out. */
export interface IssueOptions {
  /** At most 24 h. Default: the authority's. */
  readonly lifetime?: Duration;
  /** Signed by an authority below the root, whose certificate it presents. Default: false. */
  readonly intermediate?: boolean;
}

/** Every field may be left out. */
export interface ReplaceRootOptions {
  /** Old and new are trusted together, until `retireOldRoots()`. Default: true; false trusts the new one alone, at once. */
  readonly overlap?: boolean;
  /** Certificates by the new root present it as the old one signed it, so that who knows the old one alone accepts them. Default: false. */
  readonly crossSign?: boolean;
}

const YEAR_MS = 365 * 24 * 3_600_000;

/**
 * An authority of one trust domain for tests, in memory. Its keys are random: a seed would not make signatures repeat, which are random too.
 *
 * There is no `revoke`: the mesh reads no revocation lists, as SPIFFE asks for none. Who is no longer to be let in is taken out of force:
 * by policy, which stops naming the ID; by `retireOldRoots()` and `distrust()`, which stop trusting who signed; or by the end of a short life.
 */
export class TestAuthority {
  readonly trustDomain: string;
  readonly #clock: Pick<Clock, "wallTime">;
  readonly #lifetimeMs: number;
  readonly #sources = new Set<TestCertificateSource>();
  readonly #trusted = new Set<TestAuthority>();
  readonly #trustedBy = new Set<TestAuthority>();
  /** Trusted, the newest last. */
  #roots: readonly Authority[];
  #signing: Authority;
  /** The signing root as its predecessor signed it. */
  #crossSigned: Buffer | null = null;
  #bundles: TrustBundles | undefined;

  constructor(options: TestAuthorityOptions = {}) {
    checkKeys(options, ["trustDomain", "clock", "lifetime"], "testAuthority");
    this.trustDomain = options.trustDomain ?? "shop.test";
    this.#clock = options.clock ?? systemClock;
    this.#lifetimeMs = durationMs(options.lifetime ?? "1h", "testAuthority lifetime");
    this.#signing = this.#newRoot();
    this.#roots = [this.#signing];
  }

  /** The SPIFFE ID of a service, or the ID that was given. Throws TypeError where it is none. */
  id(serviceOrId: string): SpiffeId {
    return orThrow(serviceOrId.startsWith("spiffe:") ? parseSpiffeId(serviceOrId) : spiffeId(this.trustDomain, serviceOrId));
  }

  /** A certificate for a service (`web`, which is `spiffe://{trustDomain}/web`) or an ID of the trust domain. */
  issue(serviceOrId: string, options: IssueOptions = {}): TestCertificate {
    checkKeys(options, ["lifetime", "intermediate"], "issue");
    const nowMs = this.#clock.wallTime();
    const lifetimeMs = options.lifetime === undefined ? this.#lifetimeMs : durationMs(options.lifetime, "issue lifetime");
    const signer = options.intermediate === true ? this.#signing.intermediate({ nowMs, lifetimeMs: YEAR_MS }) : this.#signing;
    return this.#issueBy(signer, this.id(serviceOrId), nowMs, lifetimeMs);
  }

  /** A certificate that is wrong in one way, and right in all others; `WRONG_CERTIFICATES` says which there are. */
  wrong(kind: WrongCertificate, serviceOrId: string): TestCertificate {
    return wrongCertificate(kind, { id: this.id(serviceOrId), authority: this.#signing, nowMs: this.#clock.wallTime() });
  }

  /** A certificate source for a service or ID, which the test drives and which follows the authority's roots. */
  source(serviceOrId: string, options: IssueOptions = {}): TestCertificateSource {
    const source = new TestCertificateSource(`test authority of ${this.trustDomain} for ${serviceOrId}`, {
      issue: () => this.issue(serviceOrId, options),
      expired: () => this.wrong("expired", serviceOrId),
      bundles: () => this.bundles(),
    });
    this.#sources.add(source);
    return source;
  }

  /** Whom those of this trust domain trust: its own roots, and those of the authorities it was told to trust. */
  bundles(): TrustBundles {
    const authorities: readonly TestAuthority[] = [this, ...this.#trusted];
    this.#bundles = trustBundles(
      authorities.flatMap((authority) => authority.#roots.map((root) => root.bundle)),
      this.#bundles,
    );
    return this.#bundles;
  }

  /** Its roots as PEM, for `ca` of node:tls. */
  bundlePem(): string {
    return this.#roots.map((root) => root.bundlePem()).join("");
  }

  /** Trusts another root beside those it has, and does not yet sign with it. Sources tell it at once. */
  addRoot(): void {
    this.#roots = [...this.#roots, this.#newRoot()];
    this.#tellBundles();
  }

  /** Signs with the newest root, made now unless `addRoot` made it before. Sources tell the bundles first, then certificates by the new root. */
  replaceRoot({ overlap = true, crossSign = false }: ReplaceRootOptions = {}): void {
    const before = this.#signing;
    if (this.#roots.at(-1) === before) this.addRoot();
    const next = this.#roots.at(-1) ?? before;
    this.#signing = next;
    this.#crossSigned = crossSign ? this.#signRootOf(next, before) : null;
    if (overlap) {
      for (const source of this.#sources) source.rotate();
      return;
    }
    this.#roots = [next];
    for (const source of this.#sources) source.rotate();
    for (const other of this.#trustedBy) other.#tellBundles();
  }

  /** Trusts the root alone that signs now. */
  retireOldRoots(): void {
    this.#roots = [this.#signing];
    this.#crossSigned = null;
    this.#tellBundles();
  }

  /** Trusts another authority for its own trust domain, in this direction alone. */
  trust(other: TestAuthority): void {
    this.#trusted.add(other);
    other.#trustedBy.add(this);
    this.#tellBundles();
  }

  distrust(other: TestAuthority): void {
    this.#trusted.delete(other);
    other.#trustedBy.delete(this);
    this.#tellBundles();
  }

  /**
   * The other authority's root as this one's signs it (DER), an intermediate for a presented chain: with it, what the other signs for IDs of
   * this trust domain leads to a root of it.
   */
  crossSign(other: TestAuthority): Buffer {
    return this.#signRootOf(other.#signing, this.#signing);
  }

  #signRootOf(root: Authority, by: Authority): Buffer {
    return writeCertificate(
      {
        subject: root.signer.name,
        publicKey: root.signer.publicKey,
        notBeforeMs: root.notBeforeMs,
        notAfterMs: Math.min(root.notAfterMs, by.notAfterMs),
        uris: [`spiffe://${by.trustDomain}`],
        isAuthority: true,
        keyUsage: ["keyCertSign", "cRLSign"],
        extendedKeyUsage: null,
      },
      by.signer,
    );
  }

  #issueBy(signer: Authority, id: SpiffeId, nowMs: number, lifetimeMs: number): TestCertificate {
    const { privateKey, publicKey } = newKeyPair();
    const [leaf, ...rest] = orThrow(signer.issue(publicKey, { id, nowMs, lifetimeMs })).chain;
    if (leaf === undefined) throw new Error("An authority issued nothing");
    return new TestCertificate(id, [leaf, ...rest, ...(this.#crossSigned === null ? [] : [this.#crossSigned])], privateKey);
  }

  #newRoot(): Authority {
    const nowMs = this.#clock.wallTime();
    return Authority.create({ trustDomain: this.trustDomain, nowMs, lifetimeMs: YEAR_MS, commonName: "test authority" });
  }

  #tellBundles(): void {
    for (const source of this.#sources) source.tell();
    for (const other of this.#trustedBy) for (const source of other.#sources) source.tell();
  }
}

/** A new authority of a trust domain, `shop.test` unless said otherwise. */
export function testAuthority(options: TestAuthorityOptions = {}): TestAuthority {
  return new TestAuthority(options);
}

function orThrow<Value>(reading: Reading<Value>): Value {
  if (!reading.ok) throw new TypeError(reading.reason);
  return reading.value;
}
