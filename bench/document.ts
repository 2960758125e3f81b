/** The service that every variant with a mesh asks. */
export const SERVICE = "reviews";

/** The route that every measured request takes: the second, so that matching is more than taking the first. */
export const ROUTE = "default";

/** Until the last byte, over all tries. Far above what an answer takes, so that it acts only where a probe makes it. */
export const TOTAL_MS = 2_000;

/**
 * The policy set "default" of architecture.md: route match, total deadline, `retry: {}`; peak-EWMA, outlier detection and metrics are
 * in force without being named.
 */
export function meshDocument(addresses: readonly string[]): object {
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
