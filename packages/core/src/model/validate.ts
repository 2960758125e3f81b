import type { Backend } from "./backend.ts";
import { backendsOfRoute } from "./backends-of-route.ts";
import type { EndpointSet } from "./endpoint-set.ts";
import type { Problem } from "./problem.ts";
import type { Route } from "./route.ts";
import type { MeshSnapshot } from "./snapshot.ts";

/**
 * What is wrong with a snapshot, whoever made it: names that lead nowhere, and settings whose behaviour is not built, which are
 * refused rather than ignored. A snapshot with a problem is not used.
 */
export function validateSnapshot(snapshot: MeshSnapshot): Problem[] {
  const problems: Problem[] = [];
  const error = (where: string, message: string) => problems.push({ where, message, severity: "error" });
  validateClaims(snapshot, error);
  for (const { routes } of snapshot.virtualHosts) for (const route of routes) validateRoute(route, snapshot, error);
  for (const backend of snapshot.backends.values()) validateBackend(backend, snapshot, error);
  for (const set of snapshot.endpointSets.values()) validateEndpoints(set, error);
  return problems;
}

type Report = (where: string, message: string) => void;

function validateClaims({ virtualHosts }: MeshSnapshot, error: Report): void {
  const claims = new Map<string, string>();
  for (const { name, authorities, origin } of virtualHosts) {
    for (const authority of authorities) {
      const claim = authority.toLowerCase();
      const other = claims.get(claim);
      if (other !== undefined) error(origin, `virtual host ${name} claims ${claim}, which ${other} claims already`);
      claims.set(claim, name);
    }
  }
}

function validateRoute(route: Route, snapshot: MeshSnapshot, error: Report): void {
  if (route.hashOn.length > 0) error(route.origin, `hashOn of route ${route.name} is not built in this version`);
  if (route.action.kind !== "forward") return;
  let total = 0;
  for (const to of route.action.to) {
    total += to.weight;
    if (!(to.weight >= 0)) error(route.origin, `route ${route.name}: weight ${to.weight} of ${to.backend} must be 0 or more`);
  }
  for (const backend of backendsOfRoute(route)) {
    if (!snapshot.backends.has(backend)) error(route.origin, `route ${route.name} leads to backend ${backend}, which does not exist`);
  }
  if (route.fallback?.action.kind === "forward" && route.fallback.on.includes("deadline")) {
    error(
      route.origin,
      `route ${route.name}: its fallback asks backend ${route.fallback.action.backend} when the deadline has passed, which cannot be`,
    );
  }
  if (!(total > 0)) error(route.origin, `route ${route.name}: its weights sum to ${total}; at least one must be above 0`);
}

function validateBackend(backend: Backend, snapshot: MeshSnapshot, error: Report): void {
  if (!snapshot.endpointSets.has(backend.endpointSet)) {
    error(backend.origin, `backend ${backend.name} names endpoint set ${backend.endpointSet}, which does not exist`);
  }
}

function validateEndpoints(set: EndpointSet, error: Report): void {
  for (const endpoint of set.endpoints) {
    if (endpoint.priority !== 0) error(set.origin, `priority ${endpoint.priority} of ${endpoint.address} is not built in this version`);
    if (!(endpoint.weight > 0)) error(set.origin, `weight ${endpoint.weight} of ${endpoint.address} must be above 0`);
  }
}
