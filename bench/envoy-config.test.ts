import { describe, expect, test } from "vitest";
import {
  CALLER,
  GRPC_SERVICE,
  grpcDocument,
  idOf,
  meshDocument,
  mutualDocument,
  mutualGrpcDocument,
  SERVICE,
  TOTAL_MS,
} from "./document.ts";
import { egressBootstrap, ingressBootstrap } from "./envoy-config.ts";

const SERVERS = ["127.0.0.1:9081", "127.0.0.1:9082", "127.0.0.1:9083"];

/** The values of every key of this name, however deep. */
function valuesOf(key: string, within: unknown): readonly unknown[] {
  if (typeof within !== "object" || within === null) return [];
  return Object.entries(within).flatMap(([name, value]) => (name === key ? [value] : valuesOf(key, value)));
}

function endpointPorts(bootstrap: object): readonly unknown[] {
  return valuesOf("port_value", valuesOf("lb_endpoints", bootstrap));
}

test("the sidecar of the client balances over all of the others, in one cluster", () => {
  const bootstrap = egressBootstrap(SERVERS);
  expect(valuesOf("lb_endpoints", bootstrap)).toHaveLength(1);
  expect(endpointPorts(bootstrap)).toEqual([9081, 9082, 9083]);
});

test("the sidecar of the servers has a listener and a cluster for each, and no policies", () => {
  const bootstrap = ingressBootstrap(SERVERS);
  expect(valuesOf("listeners", bootstrap)[0]).toHaveLength(3);
  expect(valuesOf("lb_endpoints", bootstrap)).toHaveLength(3);
  expect(endpointPorts(bootstrap)).toEqual([9081, 9082, 9083]);
  for (const policy of ["retry_policy", "outlier_detection", "circuit_breakers", "lb_policy"])
    expect(valuesOf(policy, bootstrap)).toEqual([]);
  expect(valuesOf("timeout", bootstrap)).toEqual(["0s", "0s", "0s"]);
});

test("the client's sidecar has the routes of the mesh's document, in its order", () => {
  const [service] = Object.values((meshDocument(SERVERS) as { services: Record<string, { routes: { name: string }[] }> }).services);
  const routes = valuesOf("routes", egressBootstrap(SERVERS)).flat() as { name: string }[];
  expect(routes.map(({ name }) => name)).toEqual(service?.routes.map(({ name }) => name));
});

test("the client's sidecar retries, gives up and ejects as the mesh does", () => {
  const bootstrap = egressBootstrap(SERVERS);
  expect(valuesOf("timeout", bootstrap)).toEqual([`${TOTAL_MS / 1_000}s`]);
  expect(valuesOf("retriable_status_codes", bootstrap)).toEqual([[503]]);
  expect(valuesOf("num_retries", bootstrap)).toEqual([2]);
  expect(valuesOf("consecutive_5xx", bootstrap)).toEqual([5]);
  expect(valuesOf("max_ejection_percent", bootstrap)).toEqual([50]);
});

test("all listen on loopback, at ports that Envoy chooses", () => {
  for (const bootstrap of [egressBootstrap(SERVERS), ingressBootstrap(SERVERS)]) {
    expect(new Set(valuesOf("port_value", [valuesOf("admin", bootstrap), valuesOf("listeners", bootstrap)]))).toEqual(new Set([0]));
    const addresses = [...JSON.stringify(bootstrap).matchAll(/"address":"([^"]*)"/g)];
    expect(new Set(addresses.map(([, address]) => address))).toEqual(new Set(["127.0.0.1"]));
  }
});

describe("of gRPC", () => {
  test("both sidecars speak HTTP/2 on both sides", () => {
    for (const bootstrap of [egressBootstrap(SERVERS, null, "grpc"), ingressBootstrap(SERVERS, null, "grpc")]) {
      expect(new Set(valuesOf("codec_type", bootstrap))).toEqual(new Set(["HTTP2"]));
      expect(valuesOf("http2_protocol_options", bootstrap)).toHaveLength((valuesOf("clusters", bootstrap)[0] as unknown[]).length);
    }
  });

  test("the client's sidecar retries what the mesh's document retries", () => {
    expect(JSON.stringify(grpcDocument(SERVERS))).toContain("grpc:unavailable");
    expect(valuesOf("retry_on", egressBootstrap(SERVERS, null, "grpc"))).toEqual([expect.stringMatching(/(^|,)unavailable(,|$)/)]);
  });

  test("between the two HTTP/2 is agreed on by TLS, and the service is called by POST, as the mesh's document says", () => {
    const credentials = { certificate: "the certificate", key: "the key", roots: "the roots" };
    for (const bootstrap of [egressBootstrap(SERVERS, credentials, "grpc"), ingressBootstrap(SERVERS, credentials, "grpc")])
      for (const protocols of valuesOf("alpn_protocols", bootstrap)) expect(protocols).toEqual(["h2"]);
    const [reads] = valuesOf("reads", ingressBootstrap(SERVERS, credentials, "grpc"));
    expect(valuesOf("exact", reads)).toEqual(["POST", idOf(CALLER)]);
    expect(valuesOf("prefix", reads)).toEqual([`/${GRPC_SERVICE}/`]);
    const allowed = (mutualGrpcDocument(SERVERS) as MutualDocument).services[SERVICE].inbound.authorize.find(
      ({ name }) => name === "reads",
    );
    expect(allowed?.to).toEqual([{ methods: ["POST"], paths: [`/${GRPC_SERVICE}/*`] }]);
  });
});

interface MutualDocument {
  readonly services: { readonly [SERVICE]: { readonly inbound: { readonly authorize: readonly { name: string; to: unknown }[] } } };
}

describe("with credentials", () => {
  const credentials = { certificate: "the certificate", key: "the key", roots: "the roots" };

  test("the sidecars speak TLS to each other, and plaintext to client and servers", () => {
    const egress = egressBootstrap(SERVERS, credentials);
    expect(valuesOf("transport_socket", valuesOf("clusters", egress))).toHaveLength(1);
    expect(valuesOf("transport_socket", valuesOf("listeners", egress))).toEqual([]);
    const ingress = ingressBootstrap(SERVERS, credentials);
    expect(valuesOf("transport_socket", valuesOf("clusters", ingress))).toEqual([]);
    expect(valuesOf("transport_socket", valuesOf("listeners", ingress))).toHaveLength(SERVERS.length);
    expect(valuesOf("require_client_certificate", ingress)).toEqual([true, true, true]);
  });

  test("each side shows its certificate and demands the one ID that the other has", () => {
    for (const [bootstrap, expected] of [
      [egressBootstrap(SERVERS, credentials), SERVICE],
      [ingressBootstrap(SERVERS, credentials), CALLER],
    ] as const) {
      for (const value of valuesOf("private_key", bootstrap)) expect(value).toEqual({ inline_string: "the key" });
      for (const value of valuesOf("trusted_ca", bootstrap)) expect(value).toEqual({ inline_string: "the roots" });
      const names = valuesOf("match_typed_subject_alt_names", bootstrap);
      expect(names.length).toBeGreaterThan(0);
      for (const value of names) expect(value).toEqual([{ san_type: "URI", matcher: { exact: idOf(expected) } }]);
    }
  });

  test("the sidecar of the servers has the rules of the mesh's document, what denies first", () => {
    const document = mutualDocument(SERVERS) as {
      services: { [SERVICE]: { inbound: { authorize: { name: string; action?: string }[] } } };
    };
    const wanted = document.services[SERVICE].inbound.authorize.map(({ name, action = "allow" }) => `${action} ${name}`);
    const rules = valuesOf("rules", valuesOf("http_filters", ingressBootstrap(SERVERS.slice(0, 1), credentials)));
    const found = rules.flatMap((rule) => {
      const { action, policies = {} } = rule as { action?: string; policies?: object };
      return action === undefined ? [] : Object.keys(policies).map((name) => `${action.toLowerCase()} ${name}`);
    });
    expect(found).toEqual(wanted);
    expect(valuesOf("rbac", egressBootstrap(SERVERS, credentials))).toEqual([]);
  });
});
