import type { Backend } from "../model/backend.ts";
import type { Problem } from "../model/problem.ts";
import { tlsModeOf } from "../tls-mode.ts";
import type { CertificateState } from "./certificate-source.ts";
import { compileSpiffeIdMatcher } from "./names/spiffe-id-matcher.ts";

/** Of a configuration, as this process can use it with the identity that it has. */
export interface Unverifiable {
  readonly problems: readonly Problem[];
  /** Not one of the servers that are proved can be verified: identity and configuration are of two meshes. Null: it is not so. */
  readonly reason: string | null;
}

const NONE: Unverifiable = { problems: [], reason: null };
const MOST_NAMED = 5;

/** Services whose servers nobody here can verify, because there are no roots of the trust domain that they are expected to be of. */
export function unverifiableServices(backends: Iterable<Backend>, { certificate, bundles }: CertificateState): Unverifiable {
  const missing = new Map<string, { readonly origin: string; readonly services: Set<string> }>();
  let isAnyVerifiable = false;
  for (const { tls, service, origin } of backends) {
    if (tlsModeOf(tls, true) !== "mutual") continue;
    for (const pattern of tls.identities) {
      const matcher = compileSpiffeIdMatcher(pattern);
      if (!matcher.ok) continue;
      const { trustDomain } = matcher.value;
      if (bundles.byTrustDomain.has(trustDomain)) isAnyVerifiable = true;
      else {
        const known = missing.get(trustDomain) ?? { origin, services: new Set() };
        missing.set(trustDomain, known);
        known.services.add(service);
      }
    }
  }
  if (missing.size === 0) return NONE;
  const { id } = certificate;
  const held = [...bundles.byTrustDomain.keys()].join(", ") || "none";
  const problems = [...missing].map(([trustDomain, { origin, services }]): Problem => {
    const names = [...services];
    const who =
      names.length <= MOST_NAMED ? names.join(", ") : `${names.slice(0, MOST_NAMED).join(", ")} and ${names.length - MOST_NAMED} more`;
    const message =
      `the configuration expects the servers of ${who} in the trust domain ${trustDomain}, and the identity of this process is of ` +
      `${id.trustDomain} (${id.text}), with roots of ${held}: calls to them fail with no_identity. Make \`mesh.trustDomain\` or ` +
      `\`identities\` and the identity agree, or give it the roots of ${trustDomain}`;
    return { where: origin, message, severity: isAnyVerifiable ? "warning" : "error" };
  });
  const expected = [...missing.keys()].join(", ");
  const reason = `identity: it is of the trust domain ${id.trustDomain}, and the configuration expects all servers in ${expected}, of which it has no roots`;
  return { problems, reason: isAnyVerifiable ? null : reason };
}
