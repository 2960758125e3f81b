/** The service that every variant with a mesh asks. */
export const SERVICE = "reviews";

/** The route that every measured request takes: the second, so that matching is more than taking the first. */
export const ROUTE = "default";

/** Until the last byte, over all tries. Far above what an answer takes, so that it acts only where a probe makes it. */
export const TOTAL_MS = 2_000;

export const TRUST_DOMAIN = "bench.test";
/** Who calls the service. */
export const CALLER = "web";

export function idOf(service: string): string {
  return `spiffe://${TRUST_DOMAIN}/${service}`;
}

/** A path that no rule allows. */
export const FORBIDDEN = "/forbidden";
/** The service of gRPC that is measured, and one that no rule allows. */
export const GRPC_SERVICE = "bench.Reviews";
export const FORBIDDEN_GRPC_SERVICE = "bench.Forbidden";

/** The same policies for calls of gRPC: `retry` names a status, as the consent that HTTP's methods are. */
export function grpcDocument(addresses: readonly string[]): BenchDocument {
  return {
    apiVersion: "heddle/v1",
    services: {
      [SERVICE]: {
        protocol: "grpc",
        endpoints: addresses.map((address) => ({ address })),
        routes: [
          { name: "gone", match: { grpc: { service: { exact: "bench.Gone" } } }, respond: { status: 410, body: "gone" } },
          {
            name: ROUTE,
            match: { path: { prefix: "/" } },
            to: [{ service: SERVICE }],
            timeout: TOTAL_MS,
            retry: { on: ["grpc:unavailable"] },
          },
        ],
      },
    },
  };
}

/** `grpcDocument` with what `mutualDocument` adds. */
export function mutualGrpcDocument(addresses: readonly string[]): object {
  return withMutualTls(grpcDocument(addresses), [
    { name: "closed", action: "deny", to: [{ paths: ["/bench.Admin/*"] }] },
    { name: "reads", from: [{ principals: [idOf(CALLER)] }], to: [{ methods: ["POST"], paths: [`/${GRPC_SERVICE}/*`] }] },
    { name: "writes", from: [{ principals: [idOf("writer")] }], to: [{ methods: ["POST"], paths: ["/bench.Writes/*"] }] },
  ]);
}

/** The same with mutual TLS, and a few rules of which the second lets the caller in. */
export function mutualDocument(addresses: readonly string[]): object {
  return withMutualTls(meshDocument(addresses), [
    { name: "closed", action: "deny", to: [{ paths: ["/admin/*"] }] },
    { name: "reads", from: [{ principals: [idOf(CALLER)] }], to: [{ methods: ["GET"], paths: ["/bench/*", "/probe/*"] }] },
    { name: "writes", from: [{ principals: [idOf("writer")] }], to: [{ methods: ["POST"], paths: ["/bench/*"] }] },
  ]);
}

function withMutualTls({ services, ...rest }: BenchDocument, authorize: readonly object[]): object {
  const mesh = { trustDomain: TRUST_DOMAIN, identityTemplate: "spiffe://{trustDomain}/{service}" };
  return { ...rest, mesh, services: { [CALLER]: {}, [SERVICE]: { ...services[SERVICE], inbound: { authorize } } } };
}

interface BenchDocument {
  readonly apiVersion: string;
  readonly services: { readonly [SERVICE]: object };
}

/**
 * The policy set "default" of architecture.md: route match, total deadline, `retry: {}`; peak-EWMA, outlier detection and metrics are
 * in force without being named.
 */
export function meshDocument(addresses: readonly string[]): BenchDocument {
  return {
    apiVersion: "heddle/v1",
    services: {
      [SERVICE]: {
        endpoints: addresses.map((address) => ({ address })),
        routes: [
          { name: "gone", match: { path: { prefix: "/gone" } }, respond: { status: 410, body: "gone" } },
          { name: ROUTE, match: { path: { prefix: "/" } }, to: [{ service: SERVICE }], timeout: TOTAL_MS, retry: {} },
        ],
      },
    },
  };
}
