import { readJwks, unusable } from "../../authorization/terms/jwks.ts";
import type { InboundDocument, JwtDocument, MeshDocument, ServiceDocument } from "../../gen/document.ts";
import { compileIdentityTemplate } from "../../identity/names/identity-template.ts";
import { crossCheckAuthorize } from "./cross-check-authorize.ts";
import { crossCheckMeant } from "./cross-check-meant.ts";
import { crossCheckProofs } from "./cross-check-proofs.ts";
import { KnownIdentities } from "./known-identities.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";
import { identitiesOf } from "./translate-security.ts";

/** The template must have what it names, and what is said for it be named by it. */
export function crossCheckMesh({ mesh = {} }: MeshDocument, mistakes: Mistakes): void {
  const template = mesh.identityTemplate === undefined ? null : compileIdentityTemplate(mesh.identityTemplate);
  // That the template is wrong is said elsewhere, and what it would name is not known then.
  if (template?.ok === false) return;
  const names = template?.value.names ?? [];
  if (names.includes("trustDomain") && mesh.trustDomain === undefined)
    mistakes.add(["mesh", "identityTemplate"], "names {trustDomain}, and mesh.trustDomain is not given");
  for (const key of ["trustDomain", "namespace"] as const)
    if (mesh[key] !== undefined && !names.includes(key))
      mistakes.warn(["mesh", key], `has no effect: it is what {${key}} in \`mesh.identityTemplate\` stands for, which does not name it`);
}

export function crossCheckSecurity(document: MeshDocument, services: ReadonlyMap<string, ServiceDocument>, mistakes: Mistakes): void {
  const known = new KnownIdentities(document);
  for (const [name, service] of services) {
    checkTls(document, name, service, mistakes);
    if (service.inbound) checkInbound(service.inbound, ["services", name, "inbound"], known, mistakes);
  }
}

function checkTls(document: MeshDocument, name: string, service: ServiceDocument, mistakes: Mistakes): void {
  const path = ["services", name];
  const { tls } = service;
  const identities = identitiesOf(name, service, document.mesh);
  // That the template as a whole is wrong is said once, where it stands.
  const isTemplateRight = document.mesh?.identityTemplate !== undefined && compileIdentityTemplate(document.mesh.identityTemplate).ok;
  const lacksTrustDomain = document.mesh?.trustDomain === undefined;
  if (!identities.ok && isTemplateRight && !lacksTrustDomain)
    mistakes.add(path, `cannot have an identity by the template: ${identities.reason}`, "key");
  if (tls?.mode === undefined) return;
  if (tls.mode === "mutual" && identities.ok && identities.value.length === 0)
    mistakes.add(
      [...path, "tls", "mode"],
      "is mutual, and nothing says who its servers are: give the service `identities`, or `mesh.identityTemplate` for all",
    );
  if (tls.mode !== "mutual" && service.identities !== undefined)
    mistakes.add([...path, "identities"], `has no meaning beside tls.mode ${tls.mode}, which verifies no SPIFFE ID`, "key");
  for (const key of ["subjectAltNames", "ca"] as const)
    if (tls[key] !== undefined && tls.mode !== "simple")
      mistakes.add([...path, "tls", key], `has no meaning beside tls.mode ${tls.mode}; it belongs to simple`, "key");
  if (tls.sni !== undefined && tls.mode === "disable")
    mistakes.add([...path, "tls", "sni"], "has no meaning beside tls.mode disable", "key");
}

function checkInbound(inbound: InboundDocument, path: Path, known: KnownIdentities, mistakes: Mistakes): void {
  checkJwt(inbound.jwt ?? [], [...path, "jwt"], mistakes);
  if (inbound.trustedHops !== undefined && inbound.authorize === undefined)
    mistakes.add([...path, "trustedHops"], "has no meaning without authorize, which alone asks for the client's address", "key");
  crossCheckAuthorize(inbound, path, known, mistakes);
  crossCheckProofs(inbound, path, mistakes);
  crossCheckMeant(inbound, path, known, mistakes);
}

function checkJwt(rules: readonly JwtDocument[], path: Path, mistakes: Mistakes): void {
  const names = new Map<string, number>();
  for (const [index, rule] of rules.entries()) {
    const { issuer, jwks } = rule;
    const name = rule.name ?? issuer;
    const first = name === undefined ? undefined : names.get(name);
    if (first !== undefined)
      mistakes.add([...path, index], `bears the name ${JSON.stringify(name)}, as [${first}] does; give it a \`name\` of its own`, "key");
    else if (name !== undefined) names.set(name, index);
    if (jwks === undefined) continue;
    if (jwks.url === undefined) {
      const foreign = (["maxAge", "cooldown", "timeout", "staleIfError"] as const).filter((key) => jwks[key] !== undefined);
      for (const key of foreign) mistakes.add([...path, index, "jwks", key], "belongs to `url`, and the keys are not fetched", "key");
    }
    if (jwks.inline !== undefined) checkKeys(jwks.inline, [...path, index, "jwks", "inline"], mistakes);
  }
}

function checkKeys(inline: unknown, path: Path, mistakes: Mistakes): void {
  const ring = readJwks(inline);
  const problem = ring.ok ? unusable(ring.value) : ring.reason;
  if (problem !== null) mistakes.add(path, `is no key set that tokens can be verified with: ${problem}`);
}
