import { CALLER, GRPC_SERVICE, idOf, ROUTE, SERVICE, TOTAL_MS } from "./document.ts";
import type { Credentials } from "./handed-credentials.ts";
import type { Protocol } from "./servers.ts";

/** A part of Envoy's bootstrap, as JSON of its protobuf messages. */
type Json = { readonly [key: string]: unknown };

const EXTENSIONS = "type.googleapis.com/envoy.extensions";

/** A free port of loopback, which Envoy chooses itself. */
const ANY_PORT = { socket_address: { address: "127.0.0.1", port_value: 0 } };

/** What stands beside the servers: a listener for each, which hands on what comes to it and does nothing else, as an Istio sidecar would. */
export function ingressBootstrap(servers: readonly string[], credentials: Credentials | null = null, protocol: Protocol = "http"): Json {
  const routes = (index: number): readonly Json[] => [{ match: { prefix: "/" }, route: { cluster: `server-${index}`, timeout: "0s" } }];
  return bootstrap(
    servers.map((_, index) => listener(`ingress-${index}`, routes(index), protocol, credentials)),
    servers.map((address, index) => cluster(`server-${index}`, [address], protocol, {})),
  );
}

/** What stands beside the client: the policies of `meshDocument`, or of `grpcDocument`, in Envoy's words. */
export function egressBootstrap(ingresses: readonly string[], credentials: Credentials | null = null, protocol: Protocol = "http"): Json {
  const policies = credentials === null ? POLICIES : { ...POLICIES, transport_socket: upstreamTls(credentials, protocol) };
  return bootstrap([listener("egress", ROUTES[protocol], protocol)], [cluster(SERVICE, ingresses, protocol, policies)]);
}

const ROUTES: Readonly<Record<Protocol, readonly Json[]>> = {
  http: routesOf("/gone", { retry_on: "connect-failure,refused-stream,reset,retriable-status-codes", retriable_status_codes: [503] }),
  grpc: routesOf("/bench.Gone/", { retry_on: "connect-failure,refused-stream,reset,unavailable" }),
};

function routesOf(gone: string, retried: Json): readonly Json[] {
  const all = {
    name: ROUTE,
    match: { prefix: "/" },
    route: {
      cluster: SERVICE,
      timeout: `${TOTAL_MS / 1_000}s`,
      retry_policy: {
        ...retried,
        num_retries: 2,
        retry_back_off: { base_interval: "0.025s", max_interval: "0.25s" },
        retry_host_predicate: [
          {
            name: "envoy.retry_host_predicates.previous_hosts",
            typed_config: { "@type": `${EXTENSIONS}.retry.host.previous_hosts.v3.PreviousHostsPredicate` },
          },
        ],
        host_selection_retry_max_attempts: 3,
      },
    },
  };
  return [{ name: "gone", match: { prefix: gone }, direct_response: { status: 410, body: { inline_string: "gone" } } }, all];
}

const POLICIES: Json = {
  // Of two at random, the one with fewer requests in flight: the nearest that Envoy has to peak EWMA.
  lb_policy: "LEAST_REQUEST",
  outlier_detection: { consecutive_5xx: 5, base_ejection_time: "30s", max_ejection_percent: 50 },
  circuit_breakers: {
    thresholds: [
      {
        // Of the cluster, where the mesh counts by endpoint.
        max_connections: 300,
        max_pending_requests: 1_000,
        retry_budget: { budget_percent: { value: 20 }, min_retry_concurrency: 10 },
      },
    ],
  },
};

function bootstrap(listeners: readonly Json[], clusters: readonly Json[]): Json {
  return { admin: { address: ANY_PORT }, static_resources: { listeners, clusters } };
}

/** A certificate to show, and the one ID that the other end may have. */
function commonTls({ certificate, key, roots }: Credentials, expected: string, protocol: Protocol): Json {
  return {
    tls_certificates: [{ certificate_chain: { inline_string: certificate }, private_key: { inline_string: key } }],
    validation_context: {
      trusted_ca: { inline_string: roots },
      match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: expected } }],
    },
    alpn_protocols: [protocol === "grpc" ? "h2" : "http/1.1"],
  };
}

function upstreamTls(credentials: Credentials, protocol: Protocol): Json {
  const context = {
    "@type": `${EXTENSIONS}.transport_sockets.tls.v3.UpstreamTlsContext`,
    common_tls_context: commonTls(credentials, idOf(SERVICE), protocol),
  };
  return { name: "envoy.transport_sockets.tls", typed_config: context };
}

function downstreamTls(credentials: Credentials, protocol: Protocol): Json {
  const context = {
    "@type": `${EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: true,
    common_tls_context: commonTls(credentials, idOf(CALLER), protocol),
  };
  return { name: "envoy.transport_sockets.tls", typed_config: context };
}

/** The rules of `mutualDocument`, or of `mutualGrpcDocument`: of a deny filter and an allow filter, as Istio makes them. */
function rbacFilters(protocol: Protocol): readonly Json[] {
  const { reads, read, writes, closed } = RULES[protocol];
  const path = (prefix: string): Json => ({ url_path: { path: { prefix } } });
  const method = (exact: string): Json => ({ header: { name: ":method", string_match: { exact } } });
  const caller = (service: string): Json => ({ authenticated: { principal_name: { exact: idOf(service) } } });
  const all = (...rules: readonly Json[]): Json => ({ and_rules: { rules } });
  const any = (...rules: readonly Json[]): Json => ({ or_rules: { rules } });
  const allow = {
    reads: { permissions: [all(method(read), any(...reads.map(path)))], principals: [caller(CALLER)] },
    writes: { permissions: [all(method("POST"), path(writes))], principals: [caller("writer")] },
  };
  const deny = { closed: { permissions: [path(closed)], principals: [{ any: true }] } };
  return [
    ["DENY", deny],
    ["ALLOW", allow],
  ].map(([action, policies]) => ({
    name: "envoy.filters.http.rbac",
    typed_config: { "@type": `${EXTENSIONS}.filters.http.rbac.v3.RBAC`, rules: { action, policies } },
  }));
}

/** What the rules are about: prefixes of paths, and the method of what `reads` allows. */
const RULES = {
  http: { reads: ["/bench/", "/probe/"], read: "GET", writes: "/bench/", closed: "/admin/" },
  grpc: { reads: [`/${GRPC_SERVICE}/`], read: "POST", writes: "/bench.Writes/", closed: "/bench.Admin/" },
};

/** Accepts HTTP/1, or HTTP/2 for gRPC: in plaintext, or by mutual TLS, and then authorizes. */
function listener(name: string, routes: readonly Json[], protocol: Protocol, credentials: Credentials | null = null): Json {
  const manager = {
    "@type": `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    codec_type: protocol === "grpc" ? "HTTP2" : "HTTP1",
    route_config: { name, virtual_hosts: [{ name, domains: ["*"], routes }] },
    http_filters: [
      ...(credentials === null ? [] : rbacFilters(protocol)),
      { name: "envoy.filters.http.router", typed_config: { "@type": `${EXTENSIONS}.filters.http.router.v3.Router` } },
    ],
  };
  return {
    name,
    address: ANY_PORT,
    filter_chains: [
      {
        filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }],
        ...(credentials === null ? {} : { transport_socket: downstreamTls(credentials, protocol) }),
      },
    ],
  };
}

/** Dials plaintext: HTTP/1, Envoy's default, or HTTP/2 for gRPC. */
function cluster(name: string, addresses: readonly string[], protocol: Protocol, policies: Json): Json {
  return {
    name,
    type: "STATIC",
    connect_timeout: "2s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: addresses.map(lbEndpoint) }] },
    ...(protocol === "grpc" ? { typed_extension_protocol_options: { [HTTP_OPTIONS]: HTTP2 } } : {}),
    ...policies,
  };
}

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const HTTP2: Json = {
  "@type": `type.googleapis.com/${HTTP_OPTIONS}`,
  explicit_http_config: { http2_protocol_options: {} },
};

function lbEndpoint(hostAndPort: string): Json {
  const colon = hostAndPort.lastIndexOf(":");
  const address = { address: hostAndPort.slice(0, colon), port_value: Number(hostAndPort.slice(colon + 1)) };
  return { endpoint: { address: { socket_address: address } } };
}
