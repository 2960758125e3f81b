import type { CertificateListener, CertificateSource, CertificateState, TrustBundles } from "@heddle/core";
import type { TestCertificate } from "./test-certificate.ts";

/** What a source asks of the authority that it is of. */
export interface Issuing {
  issue(): TestCertificate;
  expired(): TestCertificate;
  bundles(): TrustBundles;
}

/** A certificate source that does as it is told. Whoever watches is told at once what holds, and then every change. */
export class TestCertificateSource implements CertificateSource {
  readonly name: string;
  readonly #issuing: Issuing;
  readonly #listeners = new Set<CertificateListener>();
  #current: TestCertificate;
  #trouble: string | null = null;

  constructor(name: string, issuing: Issuing) {
    this.name = name;
    this.#issuing = issuing;
    this.#current = issuing.issue();
  }

  /** What it last told. */
  get current(): TestCertificate {
    return this.#current;
  }

  watch(listener: CertificateListener): () => void {
    // A listener of its own, so that the same one may watch twice.
    const own: CertificateListener = { update: (state) => listener.update(state), problem: (problem) => listener.problem(problem) };
    this.#listeners.add(own);
    if (this.#trouble === null) own.update(this.#state());
    else this.#report(own, this.#trouble);
    return () => void this.#listeners.delete(own);
  }

  /** Another certificate, of another key, by the root that signs now. */
  rotate(): TestCertificate {
    return this.present(this.#issuing.issue());
  }

  /** A certificate that ended a second ago, as if none had followed in time. */
  expire(): TestCertificate {
    return this.present(this.#issuing.expired());
  }

  /** This certificate, right or wrong. Ends what `break` began. */
  present(certificate: TestCertificate): TestCertificate {
    this.#current = certificate;
    this.#trouble = null;
    this.tell();
    return certificate;
  }

  /** Reports a problem; whoever watches from now on hears that instead of a certificate. */
  break(message: string): void {
    this.#trouble = message;
    for (const listener of this.#listeners) this.#report(listener, message);
  }

  /** All is as it was: the last certificate is told again. */
  mend(): void {
    this.present(this.#current);
  }

  /** The same certificate again with the authority's bundles as they are now; the authority calls it. Nothing while it is broken. */
  tell(): void {
    if (this.#trouble !== null) return;
    const state = this.#state();
    for (const listener of this.#listeners) listener.update(state);
  }

  #report(listener: CertificateListener, message: string): void {
    listener.problem({ where: this.name, message, severity: "error" });
  }

  #state(): CertificateState {
    return { certificate: this.#current.workload(), bundles: this.#issuing.bundles() };
  }
}
