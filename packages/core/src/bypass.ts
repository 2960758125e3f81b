import type { Backend } from "./model/backend.ts";
import { DEFAULT_RESOURCE_LIMITS, UNLIMITED } from "./model/defaults.ts";
import type { EndpointSet } from "./model/endpoint-set.ts";
import type { RouteMatch } from "./model/match.ts";
import type { Resource } from "./model/resource.ts";
import type { Route } from "./model/route.ts";
import type { MeshSnapshot } from "./model/snapshot.ts";
import type { VirtualHost } from "./model/virtual-host.ts";
import { tlsModeOf } from "./tls-mode.ts";

/**
 * What is left of a configuration without policies: each service's first endpoint. One without endpoints is claimed by nobody, so that
 * its name is looked up as any host's. What demands TLS stays as it is: a bypass never lowers security. Inbound policies stay too.
 */
export function bypassed(snapshot: MeshSnapshot, hasIdentity: boolean): MeshSnapshot {
  const virtualHosts = snapshot.virtualHosts.flatMap((virtualHost) => {
    const backend = ownBackend(virtualHost, snapshot);
    if (backend === null || tlsModeOf(backend.tls, hasIdentity) !== "disable") return backend === null ? [] : [virtualHost];
    const endpoints = snapshot.endpointSets.get(backend.endpointSet)?.endpoints ?? [];
    return endpoints.length === 0 ? [] : [straightTo(backend, virtualHost)];
  });
  return {
    ...snapshot,
    virtualHosts,
    backends: mapValues(snapshot.backends, (backend) => withoutPolicy(backend, hasIdentity)),
    endpointSets: mapValues(snapshot.endpointSets, (set): EndpointSet => ({ ...set, endpoints: set.endpoints.slice(0, 1) })),
    resources: mapValues(snapshot.resources, (resource): Resource => ({ ...resource, ...NO_POLICY })),
  };
}

/** The service as a whole where a route names it, else what its first route goes to. */
function ownBackend(virtualHost: VirtualHost, { backends }: MeshSnapshot): Backend | null {
  const named = virtualHost.routes.flatMap(({ action }) => (action.kind === "forward" ? action.to : []));
  const own = backends.get(virtualHost.name);
  return own ?? (named[0] ? (backends.get(named[0].backend) ?? null) : null);
}

const EVERYTHING: RouteMatch = { authority: null, path: null, method: null, headers: [], query: [], fraction: null };

function straightTo(backend: Backend, virtualHost: VirtualHost): VirtualHost {
  const route: Route = {
    name: "bypass",
    match: EVERYTHING,
    action: { kind: "forward", to: [{ backend: backend.name, weight: 1, headers: null }], rewrite: null },
    timeout: null,
    retry: "off",
    headers: null,
    fault: null,
    mirrors: [],
    fallback: null,
    hashOn: [],
    origin: "bypass",
    policyFrom: {},
  };
  return { ...virtualHost, routes: [route], layers: [] };
}

const NO_POLICY: Pick<Resource, "timeoutMs" | "retry" | "breaker" | "limits" | "namedPolicy" | "policyFrom"> = {
  timeoutMs: null,
  retry: null,
  breaker: null,
  limits: DEFAULT_RESOURCE_LIMITS,
  namedPolicy: null,
  policyFrom: {},
};

function withoutPolicy(backend: Backend, hasIdentity: boolean): Backend {
  if (tlsModeOf(backend.tls, hasIdentity) !== "disable") return backend;
  return { ...backend, selector: {}, limits: UNLIMITED, breaker: null, outlier: null, emptyWaitMs: 0, namedPolicy: null, policyFrom: {} };
}

function mapValues<V>(map: ReadonlyMap<string, V>, change: (value: V) => V): ReadonlyMap<string, V> {
  return new Map(Array.from(map, ([name, value]) => [name, change(value)]));
}
