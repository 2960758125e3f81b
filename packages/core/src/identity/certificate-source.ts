import type { Clock } from "../clock.ts";
import type { Problem } from "../model/problem.ts";
import type { Random } from "../random.ts";
import type { WorkloadCertificate } from "./certificate.ts";
import type { TrustBundles } from "./trust-bundles.ts";

/** Who this process is and whom it can verify, at one moment. */
export interface CertificateState {
  readonly certificate: WorkloadCertificate;
  readonly bundles: TrustBundles;
}

/** What a certificate source tells the mesh. */
export interface CertificateListener {
  /**
   * The whole current state, in place of the one before: a trust domain that is not in it is no longer trusted. Certificate and bundles
   * are read as one set. Unchanged bundles are the same object (`trustBundles(..., previous)`), so that nothing is verified again.
   */
  update(state: CertificateState): void;
  /** What was refused or could not be read. The last state stays in force until its certificate expires. */
  problem(problem: Problem): void;
}

/** What a source may use and know of the process it is for. */
export interface CertificateSurroundings {
  readonly clock: Clock;
  readonly random: Random;
  /** The service this process joins as; null: client only. */
  readonly service: string | null;
}

/**
 * Where identity comes from: files, the SPIFFE Workload API, a development authority. Never throws at the mesh. A fake is an object with
 * a name and a `watch` that keeps the listener.
 */
export interface CertificateSource {
  /** For people: a path, an address. */
  readonly name: string;
  /**
   * Starts watching. Tells `listener` the state as soon as it is known and at every change, until the returned function is called, which
   * closes whatever is open (idempotent); after it the listener hears nothing more.
   */
  watch(listener: CertificateListener, surroundings: CertificateSurroundings): () => void;
}
