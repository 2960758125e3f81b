import type { Extensions } from "./extensions.ts";
import type { Backend, BreakerConfig } from "./model/backend.ts";
import type { LayerReference } from "./model/layer-reference.ts";
import type { Problem } from "./model/problem.ts";
import type { Resource } from "./model/resource.ts";
import type { MeshSnapshot } from "./model/snapshot.ts";
import { nearest } from "./nearest.ts";
import { concernsOf } from "./policy/engines/concerns.ts";
import { loadOpossum } from "./policy/engines/opossum-breaker.ts";

/** What a configuration refers to and the code of this process does not give. With such a problem it is not used. */
export function checkExtensions(snapshot: MeshSnapshot, extensions: Extensions): readonly Problem[] {
  const problems: (Problem | null)[] = Array.from(layersOf(snapshot), (reference) => extensions.checkLayer(reference));
  for (const { balancer, namedPolicy, breaker, origin, policyFrom } of snapshot.backends.values()) {
    const [, custom] = /^custom:(.+)$/.exec(balancer.policy) ?? [];
    if (custom !== undefined) problems.push(extensions.checkBalancer(custom, policyFrom.balancer ?? origin));
    if (namedPolicy !== null) problems.push(extensions.checkPolicy(namedPolicy, origin));
    problems.push(checkEngine(breaker, policyFrom.breaker ?? origin));
  }
  for (const { namedPolicy, breaker, origin, policyFrom } of snapshot.resources.values()) {
    if (namedPolicy !== null) problems.push(extensions.checkPolicy(namedPolicy, origin));
    problems.push(checkEngine(breaker, policyFrom.breaker ?? origin));
  }
  return problems.filter((problem) => problem !== null);
}

/** Every layer that a configuration names. */
export function* layersOf({ virtualHosts, inboundPolicies }: MeshSnapshot): Generator<LayerReference> {
  for (const { layers } of virtualHosts) yield* layers;
  for (const { layers } of inboundPolicies.values()) yield* layers;
}

function checkEngine(breaker: BreakerConfig | null, where: string): Problem | null {
  if (breaker?.engine !== "opossum") return null;
  try {
    loadOpossum();
    return null;
  } catch (error) {
    return { where, message: error instanceof Error ? error.message : String(error), severity: "error" };
  }
}

/** What people should know of a configuration in force: what a policy from the code turns off, and filters of services that are not there. */
export function extensionWarnings(snapshot: MeshSnapshot, extensions: Extensions): readonly Problem[] {
  const warnings: Problem[] = [];
  const warn = (where: string, message: string) => warnings.push({ where, message, severity: "warning" });
  let retried: ReadonlySet<string> | undefined;
  for (const backend of snapshot.backends.values()) {
    // Most have none, and of many services all the routes are too much to look through for nothing.
    if (backend.namedPolicy === null) continue;
    retried ??= retriedBackends(snapshot);
    const off = turnedOff(backend, retried.has(backend.name), backend.limits.maxRequests !== null, extensions);
    if (off !== null) warn(backend.origin, `service ${backend.name}: ${off}`);
  }
  for (const resource of snapshot.resources.values()) {
    const off = turnedOff(resource, resource.retry !== null, resource.limits.maxRequests !== null, extensions);
    if (off !== null) warn(resource.origin, `resource ${resource.name}: ${off}`);
  }
  if (snapshot.enumeratesServices) {
    const services = snapshot.inboundPolicies;
    for (const service of extensions.filteredServices) {
      if (services.has(service)) continue;
      const meant = nearest(service, services.keys());
      warn(
        "endpointFilters",
        `no service is called ${JSON.stringify(service)}${meant === null ? "" : `; did you mean ${JSON.stringify(meant)}?`}`,
      );
    }
  }
  return warnings;
}

function turnedOff(owner: Backend | Resource, retries: boolean, limits: boolean, extensions: Extensions): string | null {
  const policy = owner.namedPolicy === null ? undefined : extensions.policy(owner.namedPolicy);
  if (policy === undefined) return null;
  const own = concernsOf(policy);
  const off = [
    ...(own.retry && retries ? ["retry"] : []),
    ...(own.breaker && owner.breaker !== null ? ["breaker"] : []),
    ...(own.limits && limits ? ["limits.maxRequests"] : []),
  ];
  return off.length === 0 ? null : `the policy ${owner.namedPolicy} does itself what ${off.join(" and ")} would do, which is off beside it`;
}

/** The backends that a route leads to which retries. */
function retriedBackends({ virtualHosts }: MeshSnapshot): ReadonlySet<string> {
  const retried = new Set<string>();
  for (const { routes } of virtualHosts) {
    for (const { action, retry } of routes) {
      if (action.kind !== "forward" || retry === null || retry === "off" || retry.maxRetries === 0) continue;
      for (const { backend } of action.to) retried.add(backend);
    }
  }
  return retried;
}
