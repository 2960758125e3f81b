import type { JwtRule } from "@heddle/core";
import type { PolicyCase } from "./cases.ts";
import { envoyRules } from "./envoy-rules.ts";

const FILTERS = "type.googleapis.com/envoy.extensions.filters";

/** One listener: a setting of paths and of trusted hops, which Envoy has by connection manager, and the cases under it. */
export interface EnvoyLane {
  readonly address: string;
  readonly port: number;
  readonly cases: readonly PolicyCase[];
}

export interface EnvoyCertificates {
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
}

/** Also where it leaves what tokens claim. */
const TOKEN_FILTER = "envoy.filters.http.jwt_authn";
/** Says to Envoy which case a request belongs to. */
export const CASE_HEADER = "x-case";

export function bootstrap(lanes: readonly EnvoyLane[], certificates: EnvoyCertificates, upstreamPort: number): object {
  const endpoint = { address: socketAddress("127.0.0.1", upstreamPort) };
  return {
    admin: { address: socketAddress("127.0.0.1", 0) },
    static_resources: {
      listeners: lanes.map((lane) => listener(lane, certificates)),
      clusters: [
        {
          name: "application",
          type: "STATIC",
          connect_timeout: "10s",
          load_assignment: { cluster_name: "application", endpoints: [{ lb_endpoints: [{ endpoint }] }] },
        },
      ],
    },
  };
}

function socketAddress(address: string, port_value: number): object {
  return { socket_address: { address, port_value } };
}

/** Mutual TLS and plain text on one port, as a permissive listener of ours. */
function listener(lane: EnvoyLane, certificates: EnvoyCertificates): object {
  const filters = [{ name: "envoy.filters.network.http_connection_manager", typed_config: connectionManager(lane) }];
  const inspector = `${FILTERS}.listener.tls_inspector.v3.TlsInspector`;
  return {
    name: `lane-${lane.port}`,
    address: socketAddress(lane.address, lane.port),
    listener_filters: [{ name: "envoy.filters.listener.tls_inspector", typed_config: { "@type": inspector } }],
    filter_chains: [
      { filter_chain_match: { transport_protocol: "tls" }, filters, transport_socket: downstreamTls(certificates) },
      { filter_chain_match: { transport_protocol: "raw_buffer" }, filters },
    ],
  };
}

function downstreamTls({ certificate, key, roots }: EnvoyCertificates): object {
  const inline = (text: string) => ({ inline_string: text });
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      require_client_certificate: true,
      common_tls_context: {
        alpn_protocols: ["http/1.1"],
        tls_certificates: [{ certificate_chain: inline(certificate), private_key: inline(key) }],
        validation_context: { trusted_ca: inline(roots) },
      },
    },
  };
}

function connectionManager({ cases, port }: EnvoyLane): object {
  const [first] = cases;
  if (first === undefined) throw new RangeError("a lane without cases");
  const { pathNormalisation, trustedHops } = first;
  const decodes = pathNormalisation === "decode-and-merge-slashes";
  return {
    "@type": `${FILTERS}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: `lane-${port}`,
    codec_type: "HTTP1",
    use_remote_address: true,
    xff_num_trusted_hops: trustedHops,
    normalize_path: pathNormalisation !== "none",
    merge_slashes: pathNormalisation === "merge-slashes" || decodes,
    path_with_escaped_slashes_action: decodes ? "UNESCAPE_AND_FORWARD" : "KEEP_UNCHANGED",
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: cases.map(route) }] },
    http_filters: [
      { name: TOKEN_FILTER, typed_config: tokenFilter(cases) },
      { name: "deny", typed_config: { "@type": `${FILTERS}.http.rbac.v3.RBAC` } },
      { name: "allow", typed_config: { "@type": `${FILTERS}.http.rbac.v3.RBAC` } },
      { name: "router", typed_config: { "@type": `${FILTERS}.http.router.v3.Router` } },
    ],
  };
}

function route({ name, policies, jwt }: PolicyCase): object {
  const rules = (action: "allow" | "deny") => {
    const found = envoyRules(policies, action);
    return { "@type": `${FILTERS}.http.rbac.v3.RBACPerRoute`, ...(found !== null && { rbac: { rules: found } }) };
  };
  const tokens = jwt.length === 0 ? { disabled: true } : { requirement_name: name };
  return {
    match: { prefix: "/", headers: [{ name: CASE_HEADER, string_match: { exact: name } }] },
    route: { cluster: "application", timeout: "60s" },
    typed_per_filter_config: {
      [TOKEN_FILTER]: { "@type": `${FILTERS}.http.jwt_authn.v3.PerRouteConfig`, ...tokens },
      deny: rules("deny"),
      allow: rules("allow"),
    },
  };
}

function tokenFilter(cases: readonly PolicyCase[]): object {
  const ruled = cases.filter(({ jwt }) => jwt.length > 0);
  const providers = ruled.flatMap(({ name, jwt }) => jwt.map((rule) => [providerName(name, rule), provider(rule)] as const));
  return {
    "@type": `${FILTERS}.http.jwt_authn.v3.JwtAuthentication`,
    providers: Object.fromEntries(providers),
    requirement_map: Object.fromEntries(ruled.map((one) => [one.name, requirement(one)])),
  };
}

function providerName(name: string, rule: JwtRule): string {
  return `${name}/${rule.name}`;
}

function provider({ issuer, audiences, jwks, from, forward, clockSkewMs, claimHeaders }: JwtRule): object {
  if (jwks.kind !== "inline") throw new TypeError("Envoy has its keys inline here");
  return {
    issuer,
    audiences,
    local_jwks: { inline_string: JSON.stringify(jwks.jwks) },
    from_headers: from.map(({ header, prefix }) => ({ name: header, value_prefix: prefix })),
    forward,
    clock_skew_seconds: clockSkewMs / 1_000,
    require_expiration: true,
    payload_in_metadata: "payload",
    claim_to_headers: claimHeaders.map(({ header, claim }) => ({ header_name: header, claim_name: claim.join(".") })),
  };
}

/** Where a token stands, it must be valid under one of the rules that look there; that it stands nowhere passes. */
function requirement({ name, jwt }: PolicyCase): object {
  const byPlace = new Map<string, JwtRule[]>();
  for (const rule of jwt) {
    const place = JSON.stringify(rule.from);
    byPlace.set(place, [...(byPlace.get(place) ?? []), rule]);
  }
  const places = [...byPlace.values()].map((rules) => ({
    requires_any: { requirements: [...rules.map((rule) => ({ provider_name: providerName(name, rule) })), { allow_missing: {} }] },
  }));
  const [only] = places;
  return places.length === 1 && only ? only : { requires_all: { requirements: places } };
}
