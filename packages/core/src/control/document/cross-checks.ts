import { formatDuration } from "../../duration.ts";
import type { BreakerDocument, EndpointDocument, MeshDocument, OutlierDocument, ServiceDocument } from "../../gen/document.ts";
import type { CheckMemory } from "./check-memory.ts";
import { crossCheckRetry } from "./cross-check-retry.ts";
import { crossCheckRoutes } from "./cross-check-routes.ts";
import { crossCheckMesh, crossCheckSecurity } from "./cross-check-security.ts";
import { crossCheckTraffic } from "./cross-check-traffic.ts";
import type { Mistakes } from "./mistakes.ts";
import { endpointAddress } from "./names.ts";
import type { Path } from "./places.ts";
import { hostClaims } from "./translate.ts";
import { outlierConfig } from "./translate-policy.ts";

/**
 * Rules that concern more than one key. The document has passed the check of its shape, but where that found mistakes
 * the refused values are missing here: required keys may be absent, and nothing may be concluded from that.
 */
export function crossCheck(document: MeshDocument, mistakes: Mistakes, memory?: CheckMemory): void {
  const all = new Map(Object.entries(document.services ?? {}));
  checkHostClaims(all, mistakes);
  const services = memory?.uncrossed(document, all) ?? all;
  for (const [name, service] of services) {
    const path = ["services", name];
    checkEndpoints(service, path, mistakes);
    checkSubsets(service, path, mistakes);
    checkProtections(service, path, mistakes);
    for (const [subset, own] of Object.entries(service.subsets ?? {})) checkProtections(own, [...path, "subsets", subset], mistakes);
    crossCheckRoutes(document, name, service, mistakes);
  }
  for (const [name, resource] of Object.entries(document.resources ?? {})) checkProtections(resource, ["resources", name], mistakes);
  checkProtections(document.defaults ?? {}, ["defaults"], mistakes);
  for (const [name, policy] of Object.entries(document.policies ?? {})) checkProtections(policy, ["policies", name], mistakes);
  crossCheckRetry(document, services, mistakes);
  crossCheckTraffic(document, services, mistakes);
  crossCheckMesh(document, mistakes);
  crossCheckSecurity(document, services, mistakes);
  memory?.keepCrossed(document, all, mistakes);
}

function checkHostClaims(services: ReadonlyMap<string, ServiceDocument>, mistakes: Mistakes): void {
  const claims = new Map<string, { readonly service: string; readonly path: Path }>();
  for (const [name, service] of services) {
    for (const [index, claim] of hostClaims(name, service).entries()) {
      const path = service.hosts ? ["services", name, "hosts", index] : ["services", name];
      const other = claims.get(claim);
      if (other) {
        const by = other.service === name ? "twice by this service" : `by the service "${other.service}" too`;
        mistakes.add(path, `the host ${claim} is claimed ${by} (${mistakes.place(other.path)})`, "key");
      } else claims.set(claim, { service: name, path });
    }
  }
}

function checkEndpoints(service: ServiceDocument, path: Path, mistakes: Mistakes): void {
  const seen = new Map<string, number>();
  for (const [index, endpoint] of (service.endpoints ?? []).entries()) {
    const address = endpointAddress(endpoint);
    if (address === undefined) continue;
    const first = seen.get(address);
    if (first === undefined) seen.set(address, index);
    else
      mistakes.add([...path, "endpoints", index, kindOf(endpoint)], `the address ${address} is listed twice, first as endpoints[${first}]`);
  }
}

function kindOf({ dns, unix }: EndpointDocument): keyof EndpointDocument {
  return dns !== undefined ? "dns" : unix !== undefined ? "unix" : "address";
}

function checkSubsets(service: ServiceDocument, path: Path, mistakes: Mistakes): void {
  const endpoints = service.endpoints ?? [];
  for (const [name, subset] of Object.entries(service.subsets ?? {})) {
    const labels = Object.entries(subset.labels ?? {});
    const isEmpty = !endpoints.some((endpoint) => labels.every(([label, value]) => endpoint.labels?.[label] === value));
    if (labels.length > 0 && isEmpty)
      mistakes.warn([...path, "subsets", name], `no endpoint has ${labels.map(([label, value]) => `${label}: ${value}`).join(", ")}`);
  }
}

function checkProtections(own: Pick<ServiceDocument, "breaker" | "outlier">, path: Path, mistakes: Mistakes): void {
  const { breaker, outlier } = own;
  if (typeof breaker === "object" && breaker.consecutiveFailures === "off" && breaker.failurePercent === "off")
    mistakes.add(
      [...path, "breaker"],
      "consecutiveFailures and failurePercent are both off, so it never opens; no breaker is written `breaker: off`",
    );
  if (typeof breaker === "object" && breaker.engine === "opossum") checkOpossum(breaker, [...path, "breaker"], mistakes);
  if (typeof outlier === "object") checkEjections(outlier, [...path, "outlier"], mistakes);
}

function checkOpossum({ consecutiveFailures, failurePercent }: BreakerDocument, path: Path, mistakes: Mistakes): void {
  if (typeof consecutiveFailures === "number")
    mistakes.add([...path, "consecutiveFailures"], "opossum counts no failures in a row; leave it out, or take `engine: native`", "key");
  if (failurePercent === "off" && consecutiveFailures !== "off")
    mistakes.add([...path, "failurePercent"], "opossum opens by the share of failures alone, so with it off it never would");
}

function checkEjections(outlier: OutlierDocument, path: Path, mistakes: Mistakes): void {
  const config = outlierConfig(outlier);
  if (!config || outlier.maxEjection === undefined || config.baseEjectionMs <= config.maxEjectionMs) return;
  mistakes.add(
    [...path, "maxEjection"],
    `found ${formatDuration(config.maxEjectionMs)}, expected at least baseEjection, which is ${formatDuration(config.baseEjectionMs)}`,
  );
}
