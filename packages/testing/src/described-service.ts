import {
  type Backend,
  backendsOfRoute,
  type EndpointSet,
  type InboundPolicy,
  type InspectedBackend,
  type Mesh,
  type MeshSnapshot,
  type VirtualHost,
} from "@heddle/core";

/** The policy in force for one service, every default filled in, and the state beside it: plain data, good for a snapshot test. */
export interface ServiceDescription {
  readonly virtualHost: VirtualHost;
  /** Those of the service, and those its routes name. */
  readonly backends: readonly Backend[];
  readonly endpointSets: readonly EndpointSet[];
  readonly inbound: InboundPolicy | null;
  /** Of the backends that were used. */
  readonly state: readonly InspectedBackend[];
}

/** Throws TypeError for a service that the configuration in force does not have. */
export function describeService(service: string, snapshot: MeshSnapshot, mesh: Mesh): ServiceDescription {
  const virtualHost = snapshot.virtualHosts.find((host) => host.name === service);
  if (!virtualHost) {
    throw new TypeError(
      `describe: no service is called ${JSON.stringify(service)}; there are ${snapshot.virtualHosts.map((host) => host.name).join(", ")}`,
    );
  }
  const named = new Set(virtualHost.routes.flatMap(backendsOfRoute));
  const backends = [...snapshot.backends.values()].filter((backend) => backend.service === service || named.has(backend.name));
  const sets = new Set(backends.map((backend) => backend.endpointSet));
  const names = new Set(backends.map((backend) => backend.name));
  return {
    virtualHost,
    backends,
    endpointSets: [...snapshot.endpointSets.values()].filter((set) => sets.has(set.name)),
    inbound: snapshot.inboundPolicies.get(service) ?? null,
    state: mesh.inspect().backends.filter((backend) => names.has(backend.name)),
  };
}
