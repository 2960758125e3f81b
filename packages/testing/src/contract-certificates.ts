import { certificateRootChecks, certificateRotationChecks } from "./contract/certificate-change.ts";
import type { CertificateSourceHarness } from "./contract/certificate-harness.ts";
import { certificateLifetimeChecks } from "./contract/certificate-lifetime.ts";
import { certificateTroubleChecks } from "./contract/certificate-trouble.ts";
import { type ContractCheck, type ContractOptions, registerChecks } from "./contract/check.ts";

/** What the suite may do to what is behind a source. Default: everything. */
export interface CertificateSourceContractOptions extends ContractOptions<CertificateSourceHarness> {
  /** False where the certificate is never renewed. */
  readonly rotates?: boolean;
  /** False where the roots never change. */
  readonly replacesRoots?: boolean;
  /** False where nothing can go wrong. */
  readonly breaks?: boolean;
}

/** Every promise that `CertificateSource` makes, as checks. */
export const certificateSourceChecks: readonly ContractCheck<CertificateSourceHarness>[] = [
  ...certificateLifetimeChecks,
  ...certificateRotationChecks,
  ...certificateRootChecks,
  ...certificateTroubleChecks,
];

/**
 * The suite for a {@link CertificateSource} of your own.
 *
 * ```ts
 * certificateSourceContract({ name: "my source", test, open: async () => ({ source, clock, rotate, replaceRoots, breakIt, mend, pass, close }) });
 * ```
 */
export function certificateSourceContract(options: CertificateSourceContractOptions): void {
  registerChecks(certificateLifetimeChecks, options);
  if (options.rotates !== false) registerChecks(certificateRotationChecks, options);
  if (options.replacesRoots !== false) registerChecks(certificateRootChecks, options);
  if (options.breaks !== false) registerChecks(certificateTroubleChecks, options);
}
