import { expect, test } from "vitest";
import { adsResources } from "./ads-resources.ts";
import { grpcDocument, idOf, SERVICE, TOTAL_MS } from "./document.ts";

const SERVERS = ["127.0.0.1:9081", "127.0.0.1:9082", "127.0.0.1:9083"];

/** The values of every key of this name, however deep. */
function valuesOf(key: string, within: unknown): readonly unknown[] {
  if (typeof within !== "object" || within === null) return [];
  return Object.entries(within).flatMap(([name, value]) => (name === key ? [value] : valuesOf(key, value)));
}

test("listener, routes, cluster and endpoints are told, each under the name that the one before refers to", () => {
  const told = adsResources(SERVERS, false);
  expect(told.map(({ resource }) => resource["@type"].split(".").at(-1))).toEqual([
    "Listener",
    "RouteConfiguration",
    "Cluster",
    "ClusterLoadAssignment",
  ]);
  expect(new Set(told.map(({ name }) => name))).toEqual(new Set([SERVICE]));
  expect(valuesOf("route_config_name", told)).toEqual([SERVICE]);
  expect(valuesOf("port_value", told)).toEqual([9081, 9082, 9083]);
});

test("the routes are those of the mesh's document, with its deadline and retries", () => {
  const told = adsResources(SERVERS, false);
  const names = (of: unknown): readonly unknown[] => (valuesOf("routes", of).flat() as { name: string }[]).map(({ name }) => name);
  expect(names(told)).toEqual(names(grpcDocument(SERVERS)));
  expect(valuesOf("max_stream_duration", valuesOf("max_stream_duration", told))).toEqual([{ seconds: TOTAL_MS / 1_000 }]);
  expect(valuesOf("retry_on", told)).toEqual(["unavailable"]);
});

test("nothing is told that ends a process of grpc-js-xds", () => {
  const told = adsResources(SERVERS, false);
  for (const route of valuesOf("routes", told).flat()) expect(route).toHaveProperty("route");
  expect(valuesOf("enforcing_success_rate", told)).toEqual([{ value: 0 }]);
});

test("of mutual TLS, the server's one ID is told, and without it nothing", () => {
  expect(valuesOf("match_subject_alt_names", adsResources(SERVERS, true))).toEqual([[{ exact: idOf(SERVICE) }]]);
  expect(valuesOf("transport_socket", adsResources(SERVERS, false))).toEqual([]);
});
