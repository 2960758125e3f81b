import type { InspectedAuthorization } from "./authorization/counters.ts";
import type { InspectedKeySet } from "./authorization/key-sets.ts";
import type { BackendState } from "./backend-state.ts";
import type { InspectedPart } from "./control/compose.ts";
import type { SnapshotStore } from "./control/snapshot-store.ts";
import type { WatchedSources } from "./control/watched-sources.ts";
import type { EndpointState } from "./endpoint/endpoint.ts";
import type { IdentityInspection } from "./identity/workload-identity.ts";
import type { Problem } from "./model/problem.ts";
import type { ResourceState } from "./resources.ts";
import type { InspectedSecurity } from "./security.ts";
import type { OutcomeCounts } from "./telemetry/metrics.ts";
import type { Connectivity } from "./transport.ts";

/** What the mesh knows and does, as plain data. */
export interface Inspection {
  readonly service: string | null;
  readonly revision: number;
  readonly egress: "allow" | "deny";
  readonly sources: readonly InspectedSource[];
  /** Where every part of the configuration in force comes from. */
  readonly parts: readonly InspectedPart[];
  readonly virtualHosts: readonly {
    readonly name: string;
    readonly authorities: readonly string[];
    readonly routes: number;
    readonly from: string;
  }[];
  /** Backends that were used, or named by one that was. */
  readonly backends: readonly InspectedBackend[];
  /** Resources that were called. */
  readonly resources: readonly InspectedResource[];
  readonly problems: readonly Problem[];
  readonly counters: readonly OutcomeCounts[];
  readonly inbound: {
    readonly inFlight: number;
    readonly refusedConnections: number;
    /** Of the rules for tokens in force. */
    readonly keySets: readonly InspectedKeySet[];
    readonly authorization: InspectedAuthorization;
  };
  /** Who this process proves to be; null: it has no source of identity. */
  readonly identity: IdentityInspection | null;
}

export interface InspectedSource {
  readonly name: string;
  readonly state: "waiting" | "ok" | "failing";
  readonly updates: number;
  /** Readiness does not wait for it. */
  readonly optional: boolean;
}

export interface InspectedBackend {
  readonly name: string;
  readonly from: string;
  readonly balancer: string;
  readonly inFlight: number;
  readonly pending: number;
  /** How its endpoints are spoken to. */
  readonly tls: "disable" | "simple" | "mutual";
  readonly breaker: "none" | "closed" | "open" | "half-open";
  readonly retryBudget: { readonly available: number };
  readonly endpoints: readonly InspectedEndpoint[];
}

export interface InspectedResource {
  readonly name: string;
  readonly from: string;
  /** Calls whose function runs. */
  readonly inFlight: number;
  /** Calls that wait for their turn. */
  readonly pending: number;
  readonly breaker: "none" | "closed" | "open" | "half-open";
  readonly retryBudget: { readonly available: number };
}

export interface InspectedEndpoint {
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly weight: number;
  readonly state: "ready" | "ejected" | "half-open" | "draining";
  readonly inFlight: number;
  readonly connections: number;
  /** Of gRPC, once it was called. */
  readonly connectivity?: Connectivity;
  /** The balancer's estimate; null before the first answer, and where the balancer makes none. */
  readonly latencyMs: number | null;
  readonly requests: number;
  readonly failures: number;
  readonly ejections: number;
}

/** Whether this process should receive traffic, and everything that speaks against it. */
export interface Health {
  readonly ok: boolean;
  readonly because: readonly string[];
  /** What is right now and will not stay so, such as a certificate that nobody renews. Nothing of it makes `ok` false. */
  readonly warnings: readonly string[];
}

export interface InspectionParts {
  readonly service: string | null;
  readonly store: SnapshotStore;
  readonly sources: WatchedSources;
  readonly states: Iterable<BackendState>;
  readonly resources: Iterable<ResourceState>;
  readonly problems: readonly Problem[];
  readonly counters: readonly OutcomeCounts[];
  readonly inboundInFlight: number;
  readonly security: InspectedSecurity;
  readonly now: number;
}

export function inspectMesh(parts: InspectionParts): Inspection {
  const { store, sources, now } = parts;
  const { virtualHosts, egress } = store.current;
  return {
    service: parts.service,
    revision: store.revision,
    egress,
    sources: sources.all.map(({ name, state, updates, isOptional }) => ({ name, state, updates, optional: isOptional })),
    parts: sources.parts(),
    virtualHosts: virtualHosts.map(({ name, authorities, routes, origin }) => ({ name, authorities, routes: routes.length, from: origin })),
    backends: Array.from(parts.states, (state) => inspectBackend(state, now)),
    resources: Array.from(parts.resources, (state) => inspectResource(state, now)),
    problems: parts.problems,
    counters: parts.counters,
    inbound: {
      inFlight: parts.inboundInFlight,
      refusedConnections: parts.security.refusedConnections,
      keySets: parts.security.keySets,
      authorization: parts.security.authorization,
    },
    identity: parts.security.identity,
  };
}

function inspectBackend(state: BackendState, now: number): InspectedBackend {
  return {
    name: state.name,
    from: state.backend.origin,
    balancer: state.balancer.policy,
    inFlight: state.endpoints.all.reduce((sum, endpoint) => sum + endpoint.inFlight, 0),
    pending: state.pending,
    tls: state.tls?.mode ?? "disable",
    breaker: state.breaker?.state(now) ?? "none",
    retryBudget: { available: state.retryBudget.available(now) },
    endpoints: state.endpoints.all.map(inspectEndpoint),
  };
}

function inspectResource({ resource, slots, breaker, retryBudget }: ResourceState, now: number): InspectedResource {
  return {
    name: resource.name,
    from: resource.origin,
    inFlight: slots.running,
    pending: slots.pending,
    breaker: breaker?.state(now) ?? "none",
    retryBudget: { available: retryBudget.available(now) },
  };
}

function inspectEndpoint(state: EndpointState): InspectedEndpoint {
  const connectivity = state.lease?.connectivity() ?? null;
  return {
    address: state.address,
    labels: state.endpoint.labels,
    weight: state.endpoint.weight,
    state: state.status,
    inFlight: state.inFlight,
    connections: state.lease?.connections() ?? 0,
    ...(connectivity === null ? {} : { connectivity }),
    latencyMs: Number.isNaN(state.estimateMs) ? null : state.estimateMs,
    requests: state.requests,
    failures: state.failures,
    ejections: state.ejections,
  };
}
