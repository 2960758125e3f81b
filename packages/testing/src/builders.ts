import {
  Attempt,
  type Backend,
  Cancel,
  type ChannelSettings,
  type Endpoint,
  type EndpointSet,
  type InboundPolicy,
  type MeshRequest,
  type MeshSnapshot,
  RequestContext,
  type Resource,
  type Route,
  type RouteMatch,
  type VirtualHost,
} from "@heddle/core";

// Valid parts of the model with everything filled in, so that a test names only what it is about.

const ORIGIN = "test";

/** Matches every request. */
export const MATCH_ALL: RouteMatch = { authority: null, path: null, method: null, headers: [], query: [], fraction: null };

/** What {@link snapshotOf} takes: lists instead of maps. */
export interface SnapshotParts {
  readonly virtualHosts?: readonly VirtualHost[];
  readonly backends?: readonly Backend[];
  readonly endpointSets?: readonly EndpointSet[];
  readonly resources?: readonly Resource[];
  readonly inboundPolicies?: readonly InboundPolicy[];
  readonly enumeratesServices?: boolean;
  readonly egress?: "allow" | "deny";
}

/** Without parts: nothing is known, everything is allowed out. */
export function snapshotOf(parts: SnapshotParts = {}): MeshSnapshot {
  return {
    virtualHosts: parts.virtualHosts ?? [],
    backends: new Map((parts.backends ?? []).map((backend) => [backend.name, backend])),
    endpointSets: new Map((parts.endpointSets ?? []).map((set) => [set.name, set])),
    resources: new Map((parts.resources ?? []).map((resource) => [resource.name, resource])),
    inboundPolicies: new Map((parts.inboundPolicies ?? []).map((policy) => [policy.service, policy])),
    enumeratesServices: parts.enumeratesServices ?? true,
    egress: parts.egress ?? "allow",
  };
}

/** One service as the native document's shortest form gives it: a host of its name, one route, one backend, these endpoints. */
export function serviceSnapshot(service: string, addresses: readonly string[]): MeshSnapshot {
  return snapshotOf({
    virtualHosts: [virtualHostOf({ name: service, routes: [routeOf({ to: service })] })],
    backends: [backendOf({ name: service })],
    endpointSets: [endpointSetOf({ name: service, addresses })],
    inboundPolicies: [inboundPolicyOf({ service })],
  });
}

/** `reviews`, claimed by its name, one route to the backend of that name. */
export function virtualHostOf(parts: Partial<VirtualHost> = {}): VirtualHost {
  const name = parts.name ?? "reviews";
  return { name, authorities: [name], routes: [routeOf({ to: name })], layers: [], origin: ORIGIN, ...parts };
}

/** Matches everything and forwards to the backend `to`, `reviews` unless given. */
export function routeOf(parts: Partial<Route> & { readonly to?: string } = {}): Route {
  const { to = "reviews", ...rest } = parts;
  return {
    name: "default",
    match: MATCH_ALL,
    action: { kind: "forward", to: [{ backend: to, weight: 1, headers: null }], rewrite: null },
    timeout: null,
    retry: null,
    headers: null,
    fault: null,
    mirrors: [],
    fallback: null,
    hashOn: [],
    origin: ORIGIN,
    policyFrom: {},
    ...rest,
  };
}

/** `reviews` over the endpoint set of its name; round robin, no breaker, no outlier detection, the default limits. */
export function backendOf(parts: Partial<Backend> = {}): Backend {
  const name = parts.name ?? "reviews";
  return {
    name,
    service: name,
    subset: null,
    endpointSet: name,
    selector: {},
    protocol: "http1",
    tls: { mode: "disable", identities: [], subjectAltNames: [], authorities: { kind: "system" }, sni: null },
    connectTimeoutMs: 2_000,
    balancer: { policy: "round-robin" },
    limits: { maxConnections: 100, maxPending: 1_000, maxRequests: null },
    breaker: null,
    outlier: null,
    retryBudget: { percent: 20, minPerSecond: 1 },
    failure: { statuses: ["5xx"], grpc: ["unknown", "deadline-exceeded", "internal", "unavailable", "data-loss"], slowerThanMs: null },
    emptyWaitMs: 0,
    namedPolicy: null,
    origin: ORIGIN,
    policyFrom: {},
    ...parts,
  };
}

/** `reviews` with one endpoint per address, `127.0.0.1:9081` unless given. */
export function endpointSetOf(parts: Partial<EndpointSet> & { readonly addresses?: readonly string[] } = {}): EndpointSet {
  const { addresses = ["127.0.0.1:9081"], ...rest } = parts;
  return { name: "reviews", endpoints: addresses.map((address) => endpointOf({ address })), origin: ORIGIN, ...rest };
}

export function endpointOf(parts: Partial<Endpoint> = {}): Endpoint {
  return {
    address: "127.0.0.1:9081",
    weight: 1,
    labels: {},
    locality: null,
    priority: 0,
    health: "unknown",
    uid: "",
    ...parts,
  };
}

/** `reviews` in plaintext, headers of strangers not believed. */
export function inboundPolicyOf(parts: Partial<InboundPolicy> = {}): InboundPolicy {
  return {
    service: "reviews",
    mtls: "disable",
    trustHeaders: false,
    trustedPeers: [],
    jwt: [],
    authorization: null,
    layers: [],
    origin: ORIGIN,
    ...parts,
  };
}

/** Plaintext HTTP/1.1 to `127.0.0.1:9081`. */
export function channelSettingsOf(parts: Partial<ChannelSettings> = {}): ChannelSettings {
  return { address: "127.0.0.1:9081", protocol: "http1", tls: null, maxConnections: 100, connectTimeoutMs: 2_000, ...parts };
}

/** `GET http://reviews/` in its first attempt, as a channel receives it. */
export function requestOf(parts: Partial<MeshRequest> = {}): MeshRequest {
  const cancel = parts.cancel ?? new Cancel();
  return {
    method: "GET",
    scheme: "http",
    authority: "reviews",
    path: "/",
    headers: Object.create(null) as MeshRequest["headers"],
    body: null,
    context: new RequestContext(0, {}, cancel, null),
    cancel,
    attempt: new Attempt(1, 0),
    ...parts,
  };
}

/** A gRPC call in its first attempt, as a channel receives it: `POST http://reviews/test.Echo/Call`, a body of text is one message. */
export function rpcRequestOf(parts: Partial<MeshRequest> = {}): MeshRequest {
  const { body = null } = parts;
  const request = requestOf({
    path: "/test.Echo/Call",
    ...parts,
    method: "POST",
    body: typeof body === "string" ? Buffer.from(body) : body,
  });
  request.context.rpc = { kind: "bidi-stream", waitForReady: false, client: null };
  return request;
}
