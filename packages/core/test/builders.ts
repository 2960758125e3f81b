import { Cancel } from "../src/cancel.ts";
import { Attempt, type CallOptions, RequestContext, type Scope } from "../src/context.ts";
import type { MeshRequest } from "../src/message.ts";
import type { Backend } from "../src/model/backend.ts";
import { DEFAULT_FAILURE } from "../src/model/defaults.ts";
import type { Endpoint, EndpointSet } from "../src/model/endpoint-set.ts";
import type { InboundPolicy } from "../src/model/inbound-policy.ts";
import type { PathMatch, RouteMatch, StringMatch } from "../src/model/match.ts";
import type { Resource } from "../src/model/resource.ts";
import type { HeaderEdit, RetryConfig, Rewrite, Route, TimeoutPolicy, WeightedBackend } from "../src/model/route.ts";
import type { MeshSnapshot } from "../src/model/snapshot.ts";
import type { VirtualHost } from "../src/model/virtual-host.ts";
import type { RpcCall, RpcKind } from "../src/rpc.ts";

// Valid parts with everything filled in, so that a test names only what it is about.

const ORIGIN = "test";

export const MATCH_ALL: RouteMatch = { authority: null, path: null, method: null, headers: [], query: [], fraction: null };
export const NO_EDIT: HeaderEdit = { set: {}, add: {}, remove: [] };

export function stringMatchOf(parts: Partial<StringMatch> = {}): StringMatch {
  return { kind: "exact", value: "", ignoreCase: false, not: false, ...parts };
}

export function pathMatchOf(parts: Partial<PathMatch> = {}): PathMatch {
  return { kind: "prefix", value: "/", ignoreCase: false, not: false, ...parts };
}

export function routeMatchOf(parts: Partial<RouteMatch> = {}): RouteMatch {
  return { ...MATCH_ALL, ...parts };
}

export function to(backend: string, weight = 1, parts: Partial<WeightedBackend> = {}): WeightedBackend {
  return { backend, weight, headers: null, ...parts };
}

/** Everything to the backend `reviews`. */
export function routeOf(parts: Partial<Route> = {}): Route {
  return {
    name: "default",
    match: MATCH_ALL,
    action: { kind: "forward", to: [to("reviews")], rewrite: null },
    timeout: null,
    retry: null,
    headers: null,
    fault: null,
    mirrors: [],
    fallback: null,
    hashOn: [],
    origin: ORIGIN,
    policyFrom: {},
    ...parts,
  };
}

/** No backoff, so that tries follow each other at once. */
export function retryOf(parts: Partial<RetryConfig> = {}): RetryConfig {
  return {
    maxRetries: 2,
    on: ["connect-failure", "refused-stream", "reset", 503],
    methods: ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"],
    perTryTimeoutMs: null,
    backoff: { baseMs: 0, maxMs: 0 },
    retryAfterMaxMs: 5_000,
    ...parts,
  };
}

/** No limit of its own. */
export function timeoutOf(parts: Partial<TimeoutPolicy> = {}): TimeoutPolicy {
  return { totalMs: null, headMs: null, idleMs: null, sparesStreams: true, ...parts };
}

/** Changes nothing. */
export function rewriteOf(parts: Partial<Rewrite> = {}): Rewrite {
  return { prefix: null, path: null, regex: null, authority: null, ...parts };
}

export function virtualHostOf(parts: Partial<VirtualHost> = {}): VirtualHost {
  const name = parts.name ?? "reviews";
  return { name, authorities: [name], routes: [routeOf()], layers: [], origin: ORIGIN, ...parts };
}

/** `reviews` over the endpoint set of its name: round robin, no breaker, no outlier detection. */
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
    failure: DEFAULT_FAILURE,
    emptyWaitMs: 0,
    namedPolicy: null,
    origin: ORIGIN,
    policyFrom: {},
    ...parts,
  };
}

export function endpointOf(address = "a:1", parts: Partial<Endpoint> = {}): Endpoint {
  return { address, weight: 1, labels: {}, locality: null, priority: 0, health: "unknown", uid: "", ...parts };
}

export function endpointSetOf(name: string, endpoints: readonly (Endpoint | string)[]): EndpointSet {
  return { name, endpoints: endpoints.map((endpoint) => (typeof endpoint === "string" ? endpointOf(endpoint) : endpoint)), origin: ORIGIN };
}

export function inboundPolicyOf(service = "reviews", parts: Partial<InboundPolicy> = {}): InboundPolicy {
  return {
    service,
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

export interface SnapshotParts {
  readonly virtualHosts?: readonly VirtualHost[];
  readonly backends?: readonly Backend[];
  readonly endpointSets?: readonly EndpointSet[];
  readonly resources?: readonly Resource[];
  readonly inboundPolicies?: readonly InboundPolicy[];
  readonly enumeratesServices?: boolean;
  readonly egress?: "allow" | "deny";
}

/** One service, `reviews`, with the endpoint `a:1`. */
export function snapshotOf(parts: SnapshotParts = {}): MeshSnapshot {
  const { virtualHosts = [virtualHostOf()], backends = [backendOf()], endpointSets = [endpointSetOf("reviews", ["a:1"])] } = parts;
  const { resources = [], inboundPolicies = [inboundPolicyOf()], enumeratesServices = true, egress = "allow" } = parts;
  return {
    virtualHosts,
    backends: new Map(backends.map((backend) => [backend.name, backend])),
    endpointSets: new Map(endpointSets.map((set) => [set.name, set])),
    resources: new Map(resources.map((resource) => [resource.name, resource])),
    inboundPolicies: new Map(inboundPolicies.map((policy) => [policy.service, policy])),
    enumeratesServices,
    egress,
  };
}

export interface RequestParts extends Partial<Omit<MeshRequest, "context">> {
  readonly options?: CallOptions;
  readonly scope?: Scope | null;
  readonly startedAt?: number;
  readonly rpc?: RpcCall;
  readonly deadlineAt?: number;
}

/** `GET http://reviews/`, above the attempts. */
export function requestOf(parts: RequestParts = {}): MeshRequest {
  const { options = {}, scope = null, startedAt = 0, rpc = null, deadlineAt = Number.POSITIVE_INFINITY, ...rest } = parts;
  const cancel = parts.cancel ?? new Cancel();
  const context = new RequestContext(startedAt, options, cancel, scope);
  context.rpc = rpc;
  context.deadlineAt = deadlineAt;
  return {
    method: "GET",
    scheme: "http",
    authority: "reviews",
    path: "/",
    headers: Object.create(null) as MeshRequest["headers"],
    body: null,
    cancel,
    attempt: null,
    ...rest,
    context,
  };
}

/** A gRPC call of `shop.Reviews/List`. */
export function callOf(kind: RpcKind = "unary", parts: RequestParts = {}): RequestParts {
  return { method: "POST", path: "/shop.Reviews/List", rpc: { kind, waitForReady: false, client: null }, ...parts };
}

/** The same in its first attempt, as what stands beneath the attempts receives it. */
export function tryOf(parts: RequestParts = {}): MeshRequest {
  const attempt = parts.attempt ?? new Attempt(1, 0);
  const request = requestOf({ ...parts, attempt });
  request.context.attempts.push(attempt);
  return request;
}
