import { authorizationProblems } from "../../authorization/terms/check-policies.ts";
import { readJwks, unusable } from "../../authorization/terms/jwks.ts";
import type { AuthorizeDocument, InboundDocument, JwtDocument, MeshDocument, ServiceDocument } from "../../gen/document.ts";
import { compileIdentityTemplate } from "../../identity/names/identity-template.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";
import { authorizationOf } from "./translate-authorize.ts";
import { identitiesOf } from "./translate-security.ts";

/** The template must have what it names. */
export function crossCheckMesh({ mesh }: MeshDocument, mistakes: Mistakes): void {
  if (mesh?.identityTemplate === undefined) return;
  const template = compileIdentityTemplate(mesh.identityTemplate);
  if (template.ok && template.value.names.includes("trustDomain") && mesh.trustDomain === undefined)
    mistakes.add(["mesh", "identityTemplate"], "names {trustDomain}, and mesh.trustDomain is not given");
}

export function crossCheckSecurity(document: MeshDocument, services: ReadonlyMap<string, ServiceDocument>, mistakes: Mistakes): void {
  for (const [name, service] of services) {
    checkTls(document, name, service, mistakes);
    if (service.inbound) checkInbound(service.inbound, ["services", name, "inbound"], mistakes);
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

function checkInbound(inbound: InboundDocument, path: Path, mistakes: Mistakes): void {
  checkJwt(inbound.jwt ?? [], [...path, "jwt"], mistakes);
  if (inbound.trustedHops !== undefined && inbound.authorize === undefined)
    mistakes.add([...path, "trustedHops"], "has no meaning without authorize, which alone asks for the client's address", "key");
  for (const [index, policy] of (inbound.authorize ?? []).entries()) checkPolicy(policy, [...path, "authorize", index], mistakes);
  checkAuthorization(inbound, path, mistakes);
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

function checkPolicy(policy: AuthorizeDocument, path: Path, mistakes: Mistakes): void {
  const own = (["from", "to", "when"] as const).filter((key) => policy[key] !== undefined);
  if (policy.rules !== undefined && own.length > 0)
    mistakes.add([...path, own[0] ?? "from"], "stands beside `rules`, expected one or the other: each rule has its own", "key");
  if (policy.rules === undefined && own.length === 0)
    mistakes.add(path, "has neither from, to, when nor rules; `rules: [{}]` takes every request, `rules: []` none");
  const rules = policy.rules?.map((rule, index) => ({ rule, at: [...path, "rules", index] })) ?? [{ rule: policy, at: path }];
  for (const { rule, at } of rules) {
    for (const key of ["from", "to"] as const)
      for (const [index, group] of (rule[key] ?? []).entries())
        if (Object.keys(group).length === 0) mistakes.add([...at, key, index], "is empty, and would take everything");
    for (const [index, { values, notValues }] of (rule.when ?? []).entries())
      if (values === undefined && notValues === undefined) mistakes.add([...at, "when", index], "has neither values nor notValues");
  }
}

/** What can never match, at the policy that says it. */
function checkAuthorization(inbound: InboundDocument, path: Path, mistakes: Mistakes): void {
  // Where something is missing that the shape requires, it was said already.
  const policies = (inbound.authorize ?? []).filter(({ name }) => name !== undefined);
  const authorization = authorizationOf({ ...inbound, authorize: policies }, () => "");
  if (authorization === null) return;
  const indexes = new Map((inbound.authorize ?? []).map(({ name }, index) => [name, index]));
  for (const { at, message } of authorizationProblems(authorization.policies, authorization.pathNormalisation)) {
    const name = policies.map((policy) => policy.name).find((each) => at === each || at.startsWith(`${each}: `));
    const index = name === undefined ? undefined : indexes.get(name);
    const where = name === undefined || at === name ? "" : `${at.slice(name.length + 2)}: `;
    mistakes.add(index === undefined ? [...path, "authorize"] : [...path, "authorize", index], `${where}${message}`);
  }
}
