import { idOf, ROUTE, SERVICE, TOTAL_MS } from "./document.ts";
import { OUTLIERS, RETRIES } from "./variants/grpc-service-config.ts";

/** A message of xDS with what its `Any` needs. */
export interface AdsResource {
  readonly "@type": string;
  readonly [field: string]: unknown;
}

/** The names in grpc-js-xds' bootstrap of what gives certificates. */
export const CERTIFICATES = "files";

const API = "type.googleapis.com/envoy";

/** The policies of `grpcDocument` for xDS, as far as grpc-js-xds has them, by type and name. By mutual TLS: with the certificates of the bootstrap. */
export function adsResources(
  addresses: readonly string[],
  isMutual: boolean,
): readonly { readonly name: string; readonly resource: AdsResource }[] {
  return [
    { name: SERVICE, resource: listener() },
    { name: SERVICE, resource: routes() },
    { name: SERVICE, resource: cluster(isMutual) },
    { name: SERVICE, resource: endpoints(addresses) },
  ];
}

const ADS = { ads: {}, resource_api_version: "V3" };

function listener(): AdsResource {
  const manager = {
    "@type": `${API}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    rds: { route_config_name: SERVICE, config_source: ADS },
    http_filters: [{ name: "router", typed_config: { "@type": `${API}.extensions.filters.http.router.v3.Router` } }],
  };
  return { "@type": `${API}.config.listener.v3.Listener`, name: SERVICE, api_listener: { api_listener: manager } };
}

function routes(): AdsResource {
  // To match more than the first, as everywhere. It forwards, since a route that does not ends the process.
  const gone = { name: "gone", match: { prefix: "/bench.Gone/" }, route: { cluster: SERVICE } };
  const all = {
    name: ROUTE,
    match: { prefix: "/" },
    route: {
      cluster: SERVICE,
      max_stream_duration: { max_stream_duration: { seconds: TOTAL_MS / 1_000 } },
      retry_policy: {
        retry_on: "unavailable",
        num_retries: { value: RETRIES.attempts - 1 },
        retry_back_off: { base_interval: { nanos: 25_000_000 }, max_interval: { nanos: 250_000_000 } },
      },
    },
  };
  return {
    "@type": `${API}.config.route.v3.RouteConfiguration`,
    name: SERVICE,
    virtual_hosts: [{ name: SERVICE, domains: ["*"], routes: [gone, all] }],
  };
}

function cluster(isMutual: boolean): AdsResource {
  return {
    "@type": `${API}.config.cluster.v3.Cluster`,
    name: SERVICE,
    type: "EDS",
    eds_cluster_config: { eds_config: ADS },
    lb_policy: "ROUND_ROBIN",
    outlier_detection: {
      interval: { seconds: OUTLIERS.intervalSeconds },
      base_ejection_time: { seconds: OUTLIERS.baseEjectionSeconds },
      max_ejection_percent: { value: OUTLIERS.mostPercent },
      enforcing_failure_percentage: { value: 100 },
      failure_percentage_threshold: { value: OUTLIERS.failurePercent },
      failure_percentage_minimum_hosts: { value: OUTLIERS.fewestHosts },
      failure_percentage_request_volume: { value: OUTLIERS.fewestCalls },
      // Left out, it ends the process: grpc-js-xds takes the defaults of its details away at the first interval.
      enforcing_success_rate: { value: 0 },
    },
    ...(isMutual ? { transport_socket: upstreamTls() } : {}),
  };
}

function upstreamTls(): object {
  const certificates = { instance_name: CERTIFICATES };
  const context = {
    "@type": `${API}.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
    common_tls_context: {
      tls_certificate_provider_instance: certificates,
      validation_context: { ca_certificate_provider_instance: certificates, match_subject_alt_names: [{ exact: idOf(SERVICE) }] },
    },
  };
  return { name: "envoy.transport_sockets.tls", typed_config: context };
}

function endpoints(addresses: readonly string[]): AdsResource {
  const lbEndpoints = addresses.map((hostAndPort) => {
    const { hostname: address, port } = new URL(`http://${hostAndPort}`);
    return { endpoint: { address: { socket_address: { address, port_value: Number(port) } } }, health_status: "HEALTHY" };
  });
  return {
    "@type": `${API}.config.endpoint.v3.ClusterLoadAssignment`,
    cluster_name: SERVICE,
    endpoints: [{ locality: { region: "bench" }, load_balancing_weight: { value: 1 }, lb_endpoints: lbEndpoints }],
  };
}
