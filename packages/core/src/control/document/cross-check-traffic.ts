import type { FaultDocument, MeshDocument, PolicyDocument, RouteDocument, ServiceDocument } from "../../gen/document.ts";
import { asList, BACKEND_POLICIES, type Inherited, RESOURCE_POLICIES, routePolicies, servicePolicies } from "./inherit.ts";
import type { Mistakes } from "./mistakes.ts";
import type { Path } from "./places.ts";
import { checkTarget, suggestion } from "./targets.ts";
import { mirrorsOf } from "./translate-traffic.ts";

/** Faults, mirrors and fallbacks wherever they are in force, and names of policies that are used. */
export function crossCheckTraffic(document: MeshDocument, services: ReadonlyMap<string, ServiceDocument>, mistakes: Mistakes): void {
  for (const [name, service] of services) {
    const path = ["services", name];
    checkUse(document, service.use, [...path, "use"], mistakes);
    const inherited = servicePolicies(document, name, service);
    checkAbortOfCalls(service, mistakes, path);
    const routes = service.routes ?? [];
    checkPolicies(document, name, inherited, mistakes);
    for (const [index, route] of routes.entries()) {
      const at = [...path, "routes", index];
      checkUse(document, route.use, [...at, "use"], mistakes);
      checkRouteUse(document, route, [...at, "use"], mistakes);
      checkAbortOfCalls({ ...route, protocol: service.protocol }, mistakes, at);
      checkPolicies(document, name, routePolicies(document, inherited, route, at), mistakes);
    }
  }
  for (const [name, { use }] of Object.entries(document.resources ?? {})) {
    checkUse(document, use, ["resources", name, "use"], mistakes);
    checkResourceUse(document, use, ["resources", name, "use"], mistakes);
  }
  checkFault(document.defaults?.fault, ["defaults", "fault"], mistakes);
  for (const [name, policy] of Object.entries(document.policies ?? {})) checkFault(policy.fault, ["policies", name, "fault"], mistakes);
}

function checkUse(document: MeshDocument, use: ServiceDocument["use"], path: Path, mistakes: Mistakes): void {
  const policies = document.policies ?? {};
  for (const [index, name] of asList(use).entries()) {
    if (Object.hasOwn(policies, name)) continue;
    const known = () => Object.keys(policies);
    mistakes.add(Array.isArray(use) ? [...path, index] : path, `no policy is called "${name}"${suggestion(mistakes, name, known)}`);
  }
}

/** Nothing may be written that would be ignored: a route has no backend of its own. */
function checkRouteUse(document: MeshDocument, route: RouteDocument, path: Path, mistakes: Mistakes): void {
  for (const name of asList(route.use)) {
    const policy = Object.hasOwn(document.policies ?? {}, name) ? document.policies?.[name] : undefined;
    const foreign = BACKEND_POLICIES.filter((key) => policy?.[key] !== undefined).map((key) => `"${key}"`);
    if (typeof policy?.retry === "object" && policy.retry.budget !== undefined) foreign.push('"retry.budget"');
    if (foreign.length === 0) continue;
    mistakes.add(path, `the policy "${name}" has ${foreign.join(", ")}, which belongs to a service as a whole and not to a route`);
  }
}

/** Nothing may be taken that would be ignored: a function has no endpoints, and no head. */
function checkResourceUse(document: MeshDocument, use: ServiceDocument["use"], path: Path, mistakes: Mistakes): void {
  for (const name of asList(use)) {
    const policy: PolicyDocument = (Object.hasOwn(document.policies ?? {}, name) ? document.policies?.[name] : undefined) ?? {};
    const foreign = Object.keys(policy).filter((key) => !(RESOURCE_POLICIES as readonly string[]).includes(key));
    if (typeof policy.timeout === "object")
      foreign.push(...["head", "idle"].filter((key) => key in (policy.timeout as object)).map((key) => `timeout.${key}`));
    if (foreign.length === 0) continue;
    const what = foreign.map((key) => JSON.stringify(key)).join(", ");
    mistakes.add(path, `the policy "${name}" has ${what}, which belongs to services and not to a resource`);
  }
}

function checkPolicies(document: MeshDocument, service: string, { policies, from }: Inherited, mistakes: Mistakes): void {
  if (from.fault) checkFault(policies.fault, from.fault, mistakes);
  if (from.mirror) checkMirrors(document, service, policies.mirror, from.mirror, mistakes);
  if (from.fallback) checkFallback(document, service, policies.fallback, from.fallback, mistakes);
}

function checkFault(fault: FaultDocument | "off" | undefined, path: Path, mistakes: Mistakes): void {
  if (typeof fault !== "object" || fault.delay || fault.abort || fault.headers) return;
  mistakes.add(path, "has neither delay, abort nor headers, and so no fault; none is written `fault: off`");
}

/** Nothing may be written that does nothing: only calls end with a status of gRPC. */
function checkAbortOfCalls(
  { protocol, fault }: Pick<ServiceDocument, "fault"> & { readonly protocol?: ServiceDocument["protocol"] | undefined },
  mistakes: Mistakes,
  path: Path,
): void {
  if (protocol === "grpc" || typeof fault !== "object" || fault.abort?.grpc === undefined) return;
  mistakes.warn([...path, "fault", "abort", "grpc"], `is for gRPC calls, and the service has protocol: ${protocol ?? "http1"}`);
}

function checkMirrors(document: MeshDocument, own: string, mirror: PolicyDocument["mirror"], path: Path, mistakes: Mistakes): void {
  for (const [index, { service, subset }] of mirrorsOf(mirror).entries()) {
    const at = Array.isArray(mirror) ? [...path, index] : path;
    if (service === undefined && subset === undefined) mistakes.add(at, "found neither service nor subset: where are the copies to go?");
    else checkTarget(document, service ?? own, subset, at, mistakes);
  }
}

function checkFallback(document: MeshDocument, own: string, fallback: PolicyDocument["fallback"], path: Path, mistakes: Mistakes): void {
  if (typeof fallback !== "object") return;
  const { on, respond, service, subset } = fallback;
  if (respond) {
    if (subset !== undefined) mistakes.add([...path, "subset"], "has no meaning beside respond, which sends nothing to an endpoint", "key");
    return;
  }
  if (service === undefined && subset === undefined) {
    mistakes.add(path, "found none of respond, service and subset, expected what to answer");
    return;
  }
  checkTarget(document, service ?? own, subset, path, mistakes);
  const deadline = (on ?? []).indexOf("deadline");
  if (deadline >= 0)
    mistakes.add([...path, "on", deadline], "once the deadline has passed no service can be asked any more; only respond can answer then");
}
