import type { BalancerDocument, MeshDocument, ServiceDocument, SubsetDocument } from "../../gen/document.ts";
import type { Backend } from "../../model/backend.ts";
import { DEFAULT_CONNECT_TIMEOUT_MS } from "../../model/defaults.ts";
import type { Endpoint, EndpointSet } from "../../model/endpoint-set.ts";
import type { InboundPolicy } from "../../model/inbound-policy.ts";
import type { LayerReference } from "../../model/layer-reference.ts";
import type { MeshSnapshot } from "../../model/snapshot.ts";
import type { VirtualHost } from "../../model/virtual-host.ts";
import { BACKEND_POLICIES, type Inherited, originsOf, routePolicies, servicePolicies } from "./inherit.ts";
import { backendName, endpointAddress } from "./names.ts";
import { codePlaces, formatPath, type Path, type Places } from "./places.ts";
import { breakerConfig, limitsConfig, milliseconds, outlierConfig, retryBudget } from "./translate-policy.ts";
import { layerReferences, translateResources } from "./translate-resource.ts";
import { defaultRoute, translateRoute } from "./translate-route.ts";
import { inboundPolicy, tlsSettings } from "./translate-security.ts";
import { emptyWaitMs, failureConfig } from "./translate-traffic.ts";
import { type ServiceParts, TranslationMemory } from "./translation-memory.ts";

/** From a checked document to the model: each service is one virtual host, one backend, one more per subset, one endpoint set and one inbound policy. */
export function translateDocument(
  document: MeshDocument,
  places: Places = codePlaces("document"),
  memory: TranslationMemory = new TranslationMemory(),
): MeshSnapshot {
  const virtualHosts: VirtualHost[] = [];
  const backends = new Map<string, Backend>();
  const endpointSets = new Map<string, EndpointSet>();
  const inboundPolicies = new Map<string, InboundPolicy>();
  memory.begin(document, places);
  for (const [name, service] of Object.entries(document.services ?? {})) {
    const parts = memory.parts(service, places.origin(["services", name]), () => translateService(name, service, document, places));
    virtualHosts.push(parts.virtualHost);
    for (const backend of parts.backends) backends.set(backend.name, backend);
    endpointSets.set(name, parts.endpointSet);
    inboundPolicies.set(name, parts.inboundPolicy);
  }
  memory.end();
  return {
    virtualHosts,
    backends,
    endpointSets,
    resources: translateResources(document, places),
    inboundPolicies,
    enumeratesServices: true,
    egress: document.mesh?.egress ?? "allow",
  };
}

function translateService(name: string, service: ServiceDocument, document: MeshDocument, places: Places): ServiceParts {
  const at = (...steps: Path): string => places.origin(["services", name, ...steps]);
  const inherited = servicePolicies(document, name, service);
  const surroundings = { document, inherited, places, at };
  const layers = layerReferences(name, service, places);
  return {
    virtualHost: virtualHost(name, service, layers, surroundings),
    backends: backendsOf(name, service, surroundings),
    endpointSet: endpointSet(name, service, at("endpoints")),
    inboundPolicy: inboundPolicy(name, service, { document, places, layers }),
  };
}

/** What the parts of one service are translated with. */
interface Surroundings {
  readonly document: MeshDocument;
  readonly inherited: Inherited;
  readonly places: Places;
  at(...steps: Path): string;
}

function virtualHost(
  name: string,
  service: ServiceDocument,
  layers: readonly LayerReference[],
  { document, inherited, places, at }: Surroundings,
): VirtualHost {
  const routes = service.routes ?? [];
  return {
    name,
    authorities: hostClaims(name, service),
    routes:
      routes.length === 0
        ? [defaultRoute(name, inherited, at(), places)]
        : routes.map((route, index) => {
            const own = routePolicies(document, inherited, route, ["services", name, "routes", index]);
            return translateRoute(name, route, index, own, at("routes", index), places);
          }),
    layers: layers.filter((layer) => layer.at !== "inbound"),
    origin: at(),
  };
}

/** The authorities of a service, in lower case. */
export function hostClaims(name: string, service: ServiceDocument): readonly string[] {
  return (service.hosts ?? [name]).map((host) => host.toLowerCase());
}

function backendsOf(name: string, service: ServiceDocument, { document, inherited, places, at }: Surroundings): readonly Backend[] {
  const { policies } = inherited;
  const whole: Backend = {
    name: backendName(name),
    service: name,
    subset: null,
    endpointSet: name,
    selector: {},
    protocol: service.protocol ?? "http1",
    tls: tlsSettings(name, service, document.mesh),
    connectTimeoutMs: milliseconds(policies.connectTimeout, DEFAULT_CONNECT_TIMEOUT_MS),
    balancer: balancerOf(policies.balancer),
    limits: limitsConfig(policies.limits),
    breaker: breakerConfig(policies.breaker),
    outlier: outlierConfig(policies.outlier),
    retryBudget: retryBudget(policies.retry),
    failure: failureConfig(policies.failure),
    emptyWaitMs: emptyWaitMs(policies.whenEmpty),
    namedPolicy: service.policy ?? null,
    origin: at(),
    policyFrom: originsOf(inherited, BACKEND_POLICIES, places),
  };
  return [whole, ...Object.entries(service.subsets ?? {}).map(([subset, own]) => subsetOf(whole, subset, own, places))];
}

/** What a subset says itself, and the whole service's for the rest. */
function subsetOf(whole: Backend, subset: string, own: SubsetDocument, places: Places): Backend {
  const path = ["services", whole.service, "subsets", subset];
  const given = BACKEND_POLICIES.filter((policy) => own[policy as keyof SubsetDocument] !== undefined);
  const from = given.map((policy) => [policy, `${places.origin([...path, policy])} (${formatPath([...path, policy])})`]);
  return {
    ...whole,
    name: backendName(whole.service, subset),
    subset,
    selector: own.labels,
    balancer: own.balancer ? balancerOf(own.balancer) : whole.balancer,
    limits: own.limits ? limitsConfig(own.limits) : whole.limits,
    breaker: own.breaker ? breakerConfig(own.breaker) : whole.breaker,
    outlier: own.outlier ? outlierConfig(own.outlier) : whole.outlier,
    failure: own.failure ? failureConfig(own.failure) : whole.failure,
    emptyWaitMs: own.whenEmpty ? emptyWaitMs(own.whenEmpty) : whole.emptyWaitMs,
    origin: places.origin(path),
    policyFrom: { ...whole.policyFrom, ...Object.fromEntries(from) },
  };
}

function balancerOf(balancer: BalancerDocument | "off" | undefined): Backend["balancer"] {
  return { policy: (balancer === "off" ? undefined : balancer?.policy) ?? "peak-ewma" };
}

function endpointSet(name: string, service: ServiceDocument, origin: string): EndpointSet {
  const endpoints = (service.endpoints ?? []).flatMap((endpoint): readonly Endpoint[] => {
    const address = endpointAddress(endpoint);
    if (address === undefined) return [];
    const { weight = 1, labels = {} } = endpoint;
    return [{ address, weight, labels, locality: null, priority: 0, health: "unknown", uid: "" }];
  });
  return { name, endpoints, origin };
}
