import { type CertificateSource, checkSecurity, type MeshSnapshot, mtlsModeOf, type Problem } from "@heddle/core";

/** Stands for the identity that a process of the document will have: the command line has none, and shakes hands with nobody. */
export const ASSUMED_IDENTITY: CertificateSource = { name: "the identity of the process", watch: () => () => {} };

/** Whether a configuration is one for processes that have an identity. */
export function assumesIdentity({ backends, inboundPolicies }: MeshSnapshot): boolean {
  const isProved = [...backends.values()].some(
    ({ tls }) => tls.mode === "mutual" || (tls.mode === "automatic" && tls.identities.length > 0),
  );
  return isProved || [...inboundPolicies.values()].some((policy) => mtlsModeOf(policy, false) !== "disable");
}

/** What a process would refuse of what the configuration asks of security, had it the identity that is asked for. */
export function securityProblems(snapshot: MeshSnapshot): readonly Problem[] {
  return checkSecurity(snapshot, { service: null, hasIdentity: assumesIdentity(snapshot), canFetch: true }, new WeakSet());
}

/** Whether a process without an identity, which joins as that service (null: as none), would refuse the configuration. */
export function demandsIdentity(snapshot: MeshSnapshot, service: string | null): boolean {
  return checkSecurity(snapshot, { service, hasIdentity: false, canFetch: true }, new WeakSet()).length > 0;
}
