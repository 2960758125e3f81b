import type { MeshDocument, PolicyDocument, ResourceDocument, RouteDocument, ServiceDocument } from "../../gen/document.ts";
import { formatPath, type Path, type Places } from "./places.ts";

export type PolicyName = keyof PolicyDocument;

/** Policies that a route may have; those of a service hold for its routes that say nothing. */
export const ROUTE_POLICIES: readonly PolicyName[] = ["timeout", "retry", "fault", "mirror", "fallback"];

/** Policies of what requests are balanced over: they belong to a service as a whole. */
export const BACKEND_POLICIES: readonly PolicyName[] = [
  "balancer",
  "connectTimeout",
  "limits",
  "breaker",
  "outlier",
  "failure",
  "whenEmpty",
];

/** Policies that a function can be put under. */
export const RESOURCE_POLICIES: readonly PolicyName[] = ["timeout", "retry", "breaker", "limits"];

/** The policies in force somewhere, each as it was written, and where. */
export interface Inherited {
  readonly policies: PolicyDocument;
  readonly from: Readonly<Partial<Record<PolicyName, Path>>>;
}

interface Written {
  readonly policies: PolicyDocument | undefined;
  readonly at: Path;
}

/** What holds for a service: its own words, then the policies it uses, the last one first, then `defaults`. */
export function servicePolicies(document: MeshDocument, name: string, service: ServiceDocument): Inherited {
  return closest(
    [{ policies: document.defaults, at: ["defaults"] }, ...used(document, service.use), { policies: service, at: ["services", name] }],
    [...ROUTE_POLICIES, ...BACKEND_POLICIES],
  );
}

/** What holds for a route: its own words, then the policies it uses, then what holds for its service. */
export function routePolicies(document: MeshDocument, service: Inherited, route: RouteDocument, at: Path): Inherited {
  const own = closest([...used(document, route.use), { policies: route, at }], ROUTE_POLICIES);
  return { policies: { ...service.policies, ...own.policies }, from: { ...service.from, ...own.from } };
}

/** What holds for a resource. Its own words are not those of services: `retry.on` has other conditions, `limits` fewer keys. */
export function resourcePolicies(document: MeshDocument, name: string, resource: ResourceDocument): Inherited {
  const own = { policies: resource as PolicyDocument, at: ["resources", name] };
  return closest([{ policies: document.defaults, at: ["defaults"] }, ...used(document, resource.use), own], RESOURCE_POLICIES);
}

/** The policies that a list of names stands for; a name that means nothing is a mistake of its own. */
function used(document: MeshDocument, names: ServiceDocument["use"]): readonly Written[] {
  return asList(names).flatMap((name) => {
    const policies = Object.hasOwn(document.policies ?? {}, name) ? document.policies?.[name] : undefined;
    return policies === undefined ? [] : [{ policies, at: ["policies", name] }];
  });
}

/** Of each policy the last one that was written. */
function closest(written: readonly Written[], names: readonly PolicyName[]): Inherited {
  const policies: Record<string, unknown> = {};
  const from: Partial<Record<PolicyName, Path>> = {};
  for (const { policies: given, at } of written) {
    for (const name of names) {
      if (given?.[name] === undefined) continue;
      policies[name] = given[name];
      from[name] = [...at, name];
    }
  }
  return { policies, from };
}

/** What may be written as one thing or a list of them. */
export function asList<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}

/** For people: the place and the path of each of these policies. */
export function originsOf(inherited: Inherited, names: readonly PolicyName[], places: Places): Readonly<Record<string, string>> {
  const origins: Record<string, string> = {};
  for (const name of names) {
    const path = inherited.from[name];
    if (path) origins[name] = `${places.origin(path)} (${formatPath(path)})`;
  }
  return origins;
}
