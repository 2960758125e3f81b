import { authorizationProblems } from "./authorization/terms/check-policies.ts";
import { compileSpiffeIdMatcher } from "./identity/names/spiffe-id-matcher.ts";
import type { Backend } from "./model/backend.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";
import type { Problem } from "./model/problem.ts";
import type { MeshSnapshot } from "./model/snapshot.ts";
import { mtlsModeOf, tlsModeOf } from "./tls-mode.ts";

/** What this process has, by which it is told whether a configuration can be done. */
export interface SecurityMeans {
  readonly service: string | null;
  readonly hasIdentity: boolean;
  /** Something to fetch remote keys with. */
  readonly canFetch: boolean;
}

/** Parts that were found good under the means of this process; they are never changed in place. */
export type CheckedParts = WeakSet<Backend | InboundPolicy>;

/**
 * What a configuration asks of security that cannot be done here, or would let nobody in. With such a problem it is not used: nothing
 * that was asked for may be left out.
 */
export function checkSecurity(snapshot: MeshSnapshot, means: SecurityMeans, checked: CheckedParts): readonly Problem[] {
  const problems: Problem[] = [];
  for (const backend of snapshot.backends.values()) {
    if (checked.has(backend)) continue;
    const hasEndpoints = (snapshot.endpointSets.get(backend.endpointSet)?.endpoints.length ?? 0) > 0;
    const found = backendProblems(backend, hasEndpoints, means.hasIdentity);
    if (found.length === 0 && hasEndpoints) checked.add(backend);
    problems.push(...found.map((message) => error(backend.origin, `service ${backend.name}: ${message}`)));
  }
  for (const policy of snapshot.inboundPolicies.values()) {
    if (checked.has(policy)) continue;
    const found = inboundProblems(policy, means);
    if (found.length === 0) checked.add(policy);
    problems.push(...found);
  }
  return problems;
}

function error(where: string, message: string): Problem {
  return { where, message, severity: "error" };
}

const GIVE_IDENTITY = "give joinMesh an `identity`";

/**
 * Services that a process without an identity knows to refuse plain text. It need not call them, so that the configuration is used; who
 * does call fails with `no_identity`, before anything is sent.
 */
export function callsWithoutIdentity({ backends, endpointSets, inboundPolicies }: MeshSnapshot): readonly Problem[] {
  const problems = new Map<string, Problem>();
  for (const { service, tls, endpointSet, origin } of backends.values()) {
    if (tls.mode !== "demanded" || (endpointSets.get(endpointSet)?.endpoints.length ?? 0) === 0) continue;
    const message = `service ${service}: inbound.mtls is strict, and this process has no identity to show: every call to it fails with no_identity; ${GIVE_IDENTITY}, or, where something else speaks TLS for it, say \`tls: { mode: disable }\` of the service`;
    problems.set(service, { where: inboundPolicies.get(service)?.origin ?? origin, message, severity: "warning" });
  }
  return [...problems.values()];
}

/** A service without endpoints is a name to join as: nobody is called by it. */
function backendProblems({ tls }: Backend, hasEndpoints: boolean, hasIdentity: boolean): string[] {
  const unreadable = tls.identities.flatMap((pattern) => {
    const compiled = compileSpiffeIdMatcher(pattern);
    return compiled.ok ? [] : [compiled.reason];
  });
  // Of a service that is known to be strict, calls are refused: a process that makes none has to be able to start.
  if (tlsModeOf(tls, hasIdentity) !== "mutual" || (tls.mode === "demanded" && !hasIdentity)) return unreadable;
  const problems = [...unreadable];
  if (!hasIdentity) problems.push(`tls.mode is mutual, and this process has no identity to show: ${GIVE_IDENTITY}`);
  if (tls.identities.length === 0 && hasEndpoints) {
    const because = tls.mode === "mutual" ? "tls.mode is mutual" : "this process has an identity, so that it speaks mutual TLS";
    problems.push(
      `${because}, and nothing says who its servers are: give it \`identities\`, or \`mesh.identityTemplate\` for all, or \`tls: { mode: disable }\``,
    );
  }
  return problems;
}

function inboundProblems(policy: InboundPolicy, { service, hasIdentity, canFetch }: SecurityMeans): Problem[] {
  const { origin, authorization } = policy;
  const problems: Problem[] = [];
  const own = policy.service === service;
  const isTls = mtlsModeOf(policy, hasIdentity) !== "disable";
  const add = (message: string, where = origin) => problems.push(error(where, `inbound of ${policy.service}: ${message}`));
  if (own && isTls && !hasIdentity) add(`mtls is ${policy.mtls}, and this process has no identity to show: ${GIVE_IDENTITY}`);
  for (const pattern of policy.trustedPeers) {
    const compiled = compileSpiffeIdMatcher(pattern);
    if (!compiled.ok) add(`trustedPeers: ${compiled.reason}`);
  }
  if (own) {
    for (const rule of policy.jwt)
      if (rule.jwks.kind === "remote" && !canFetch)
        add(`jwt ${rule.name}: the keys are remote, and this mesh was given no \`ownCalls\` to fetch them with`, rule.origin);
  }
  if (authorization !== null) {
    for (const found of authorizationProblems(authorization.policies, authorization.pathNormalisation))
      add(`authorize: ${found.at}: ${found.message}`, found.origin);
  }
  return problems;
}
