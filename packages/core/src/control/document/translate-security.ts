import type { JwtDocument, MeshDocument, ServiceDocument } from "../../gen/document.ts";
import { compileIdentityTemplate } from "../../identity/names/identity-template.ts";
import { type Reading, read } from "../../identity/names/reading.ts";
import type { TlsSettings } from "../../model/backend.ts";
import { DEFAULT_JWT, DEFAULT_REMOTE_JWKS, PLAINTEXT } from "../../model/defaults.ts";
import type { InboundPolicy } from "../../model/inbound-policy.ts";
import type { JwksLocation, JwtAlgorithm, JwtRule } from "../../model/jwt.ts";
import type { LayerReference } from "../../model/layer-reference.ts";
import type { Path, Places } from "./places.ts";
import { authorizationOf } from "./translate-authorize.ts";
import { milliseconds } from "./translate-policy.ts";

export const DEFAULT_NAMESPACE = "default";

/** Who the servers of a service are: what it says itself, or the template with its name; none where neither is there. */
export function identitiesOf(name: string, service: ServiceDocument, mesh: MeshDocument["mesh"]): Reading<readonly string[]> {
  if (service.identities !== undefined) return read(service.identities);
  if (mesh?.identityTemplate === undefined) return read([]);
  const template = compileIdentityTemplate(mesh.identityTemplate);
  if (!template.ok) return template;
  const { trustDomain, namespace = DEFAULT_NAMESPACE } = mesh;
  const filled = template.value.fill({ service: name, namespace, ...(trustDomain === undefined ? {} : { trustDomain }) });
  return filled.ok ? read([filled.value.text]) : filled;
}

export function tlsSettings(name: string, service: ServiceDocument, mesh: MeshDocument["mesh"]): TlsSettings {
  const identities = identitiesOf(name, service, mesh);
  // A strict service refuses what comes in plain text: sent all the same, it would only show its headers to the network.
  const absent = service.inbound?.mtls === "strict" ? "demanded" : "automatic";
  const { mode = absent, sni, subjectAltNames = [], ca } = service.tls ?? {};
  return {
    ...PLAINTEXT,
    mode,
    identities: identities.ok ? identities.value : [],
    subjectAltNames,
    authorities: ca === undefined ? { kind: "system" } : { kind: "file", path: ca },
    sni: sni ?? null,
  };
}

export function inboundPolicy(
  name: string,
  service: ServiceDocument,
  { document, places, layers }: { readonly document: MeshDocument; readonly places: Places; readonly layers: readonly LayerReference[] },
): InboundPolicy {
  const { inbound } = service;
  const at = (...path: Path): string => places.origin(["services", name, ...path]);
  return {
    service: name,
    mtls: inbound?.mtls ?? "automatic",
    trustHeaders: document.mesh?.trustHeaders ?? false,
    trustedPeers: inbound?.trustedPeers ?? [],
    jwt: (inbound?.jwt ?? []).map((rule, index) => jwtRule(rule, at("inbound", "jwt", index))),
    authorization: authorizationOf(inbound, (...path) => at("inbound", ...path)),
    layers: layers.filter((layer) => layer.at === "inbound"),
    origin: at(...(inbound ? ["inbound"] : [])),
  };
}

function jwtRule(rule: JwtDocument, origin: string): JwtRule {
  return {
    name: rule.name ?? rule.issuer,
    issuer: rule.issuer,
    audiences: rule.audiences ?? DEFAULT_JWT.audiences,
    jwks: jwksLocation(rule.jwks),
    // The schema lists the very same.
    algorithms: (rule.algorithms as readonly JwtAlgorithm[] | undefined) ?? DEFAULT_JWT.algorithms,
    from: rule.from?.map(({ header, prefix = "" }) => ({ header: header.toLowerCase(), prefix })) ?? DEFAULT_JWT.from,
    clockSkewMs: milliseconds(rule.clockSkew, DEFAULT_JWT.clockSkewMs),
    forward: rule.forward ?? DEFAULT_JWT.forward,
    claimHeaders: (rule.claimHeaders ?? []).map(({ header, claim }) => ({ header: header.toLowerCase(), claim: [claim].flat() })),
    origin,
  };
}

function jwksLocation({ inline, file, url, maxAge, cooldown, timeout, staleIfError }: JwtDocument["jwks"]): JwksLocation {
  if (file !== undefined) return { kind: "file", path: file };
  // What it holds was checked before.
  if (url === undefined) return { kind: "inline", jwks: inline as { readonly keys: readonly object[] } };
  return {
    kind: "remote",
    url,
    maxAgeMs: milliseconds(maxAge, DEFAULT_REMOTE_JWKS.maxAgeMs),
    cooldownMs: milliseconds(cooldown, DEFAULT_REMOTE_JWKS.cooldownMs),
    timeoutMs: milliseconds(timeout, DEFAULT_REMOTE_JWKS.timeoutMs),
    staleIfErrorMs: milliseconds(staleIfError, DEFAULT_REMOTE_JWKS.staleIfErrorMs),
  };
}
