import { ROUTE, SERVICE, TOTAL_MS } from "./document.ts";

/** A part of Envoy's bootstrap, as JSON of its protobuf messages. */
type Json = { readonly [key: string]: unknown };

const EXTENSIONS = "type.googleapis.com/envoy.extensions";

/** A free port of loopback, which Envoy chooses itself. */
const ANY_PORT = { socket_address: { address: "127.0.0.1", port_value: 0 } };

/** What stands beside the servers: a listener for each, which hands on what comes to it and does nothing else, as an Istio sidecar would. */
export function ingressBootstrap(servers: readonly string[]): Json {
  return bootstrap(
    servers.map((_, index) =>
      listener(`ingress-${index}`, [{ match: { prefix: "/" }, route: { cluster: `server-${index}`, timeout: "0s" } }]),
    ),
    servers.map((address, index) => cluster(`server-${index}`, [address], {})),
  );
}

/** What stands beside the client: the policies of `meshDocument`, in Envoy's words. */
export function egressBootstrap(ingresses: readonly string[]): Json {
  return bootstrap([listener("egress", ROUTES)], [cluster(SERVICE, ingresses, POLICIES)]);
}

const ROUTES: readonly Json[] = [
  { name: "gone", match: { prefix: "/gone" }, direct_response: { status: 410, body: { inline_string: "gone" } } },
  {
    name: ROUTE,
    match: { prefix: "/" },
    route: {
      cluster: SERVICE,
      timeout: `${TOTAL_MS / 1_000}s`,
      retry_policy: {
        retry_on: "connect-failure,refused-stream,reset,retriable-status-codes",
        retriable_status_codes: [503],
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
  },
];

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

/** Accepts plaintext HTTP/1. */
function listener(name: string, routes: readonly Json[]): Json {
  const manager = {
    "@type": `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: name,
    codec_type: "HTTP1",
    route_config: { name, virtual_hosts: [{ name, domains: ["*"], routes }] },
    http_filters: [{ name: "envoy.filters.http.router", typed_config: { "@type": `${EXTENSIONS}.filters.http.router.v3.Router` } }],
  };
  return {
    name,
    address: ANY_PORT,
    filter_chains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }] }],
  };
}

/** Dials plaintext HTTP/1, Envoy's default. */
function cluster(name: string, addresses: readonly string[], policies: Json): Json {
  return {
    name,
    type: "STATIC",
    connect_timeout: "2s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: addresses.map(lbEndpoint) }] },
    ...policies,
  };
}

function lbEndpoint(hostAndPort: string): Json {
  const colon = hostAndPort.lastIndexOf(":");
  const address = { address: hostAndPort.slice(0, colon), port_value: Number(hostAndPort.slice(colon + 1)) };
  return { endpoint: { address: { socket_address: address } } };
}
