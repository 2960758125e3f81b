import type { MeshDocument, ServiceDocument } from "../../gen/document.ts";
import type { Backend } from "../../model/backend.ts";
import { DEFAULT_CONNECT_TIMEOUT_MS } from "../../model/defaults.ts";
import type { EndpointSet } from "../../model/endpoint-set.ts";
import type { InboundPolicy } from "../../model/inbound-policy.ts";
import type { MeshSnapshot } from "../../model/snapshot.ts";
import type { VirtualHost } from "../../model/virtual-host.ts";
import { codePlaces, type Path, type Places } from "./places.ts";
import { breakerConfig, limitsConfig, milliseconds, outlierConfig, retryBudget } from "./translate-policy.ts";
import { backendName, defaultRoute, translateRoute } from "./translate-route.ts";

/** From a checked document to the model: each service is one virtual host, one backend, one more per subset, one endpoint set and one inbound policy. */
export function translateDocument(document: MeshDocument, places: Places = codePlaces("document")): MeshSnapshot {
  const virtualHosts: VirtualHost[] = [];
  const backends = new Map<string, Backend>();
  const endpointSets = new Map<string, EndpointSet>();
  const inboundPolicies = new Map<string, InboundPolicy>();
  const trustHeaders = document.mesh?.trustHeaders ?? false;
  for (const [name, service] of Object.entries(document.services ?? {})) {
    const at = (...steps: Path): string => places.origin(["services", name, ...steps]);
    virtualHosts.push(virtualHost(name, service, at));
    for (const backend of backendsOf(name, service, at)) backends.set(backend.name, backend);
    endpointSets.set(name, endpointSet(name, service, at("endpoints")));
    inboundPolicies.set(name, {
      service: name,
      mtls: service.inbound?.mtls ?? "disable",
      trustHeaders,
      origin: at(...(service.inbound ? ["inbound"] : [])),
    });
  }
  return { virtualHosts, backends, endpointSets, inboundPolicies, enumeratesServices: true, egress: document.mesh?.egress ?? "allow" };
}

type At = (...steps: Path) => string;

function virtualHost(name: string, service: ServiceDocument, at: At): VirtualHost {
  const routes = service.routes ?? [];
  return {
    name,
    authorities: hostClaims(name, service),
    routes:
      routes.length === 0
        ? [defaultRoute(name, service, at())]
        : routes.map((route, index) => translateRoute(name, service, route, index, at("routes", index))),
    origin: at(),
  };
}

/** The authorities of a service, in lower case. */
export function hostClaims(name: string, service: ServiceDocument): readonly string[] {
  return (service.hosts ?? [name]).map((host) => host.toLowerCase());
}

function backendsOf(name: string, service: ServiceDocument, at: At): readonly Backend[] {
  const whole: Backend = {
    name: backendName(name),
    service: name,
    subset: null,
    endpointSet: name,
    selector: {},
    protocol: service.protocol ?? "http1",
    tls: null,
    connectTimeoutMs: milliseconds(service.connectTimeout, DEFAULT_CONNECT_TIMEOUT_MS),
    balancer: { policy: service.balancer?.policy ?? "peak-ewma" },
    limits: limitsConfig(service.limits),
    breaker: breakerConfig(service.breaker),
    outlier: outlierConfig(service.outlier),
    retryBudget: retryBudget(service.retry),
    origin: at(),
  };
  const subsets = Object.entries(service.subsets ?? {}).map(
    ([subset, own]): Backend => ({
      ...whole,
      name: backendName(name, subset),
      subset,
      selector: own.labels,
      balancer: own.balancer ? { policy: own.balancer.policy ?? "peak-ewma" } : whole.balancer,
      limits: own.limits ? limitsConfig(own.limits) : whole.limits,
      breaker: own.breaker ? breakerConfig(own.breaker) : whole.breaker,
      outlier: own.outlier ? outlierConfig(own.outlier) : whole.outlier,
      origin: at("subsets", subset),
    }),
  );
  return [whole, ...subsets];
}

function endpointSet(name: string, service: ServiceDocument, origin: string): EndpointSet {
  return {
    name,
    endpoints: (service.endpoints ?? []).map((endpoint) => ({
      address: endpoint.address.toLowerCase(),
      weight: endpoint.weight ?? 1,
      labels: endpoint.labels ?? {},
      locality: null,
      priority: 0,
      health: "unknown",
      uid: "",
    })),
    origin,
  };
}
