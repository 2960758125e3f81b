/**
 * The control plane of grpc-js-xds: `node ads-server.ts ADDRESSES [mutual]`, addresses with commas between them. An aggregated discovery
 * service that knows one version of everything. It loads the messages of xDS from what grpc-js-xds brings along.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { loadPackageDefinition, Server, ServerCredentials, type ServerDuplexStream, type ServiceClientConstructor } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { type AdsResource, adsResources } from "./ads-resources.ts";
import type { ServerAnswer } from "./protocol.ts";

const [, , addresses = "", security] = process.argv;
const resources = adsResources(addresses.split(","), security === "mutual");

process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => {});

interface DiscoveryRequest {
  readonly type_url: string;
  readonly resource_names: readonly string[];
  readonly error_detail: { readonly message: string } | null;
}

interface DiscoveryResponse {
  readonly version_info: string;
  readonly type_url: string;
  readonly nonce: string;
  readonly resources: readonly AdsResource[];
}

function discoveryService(): ServiceClientConstructor["service"] {
  const brought = join(dirname(createRequire(import.meta.url).resolve("@grpc/grpc-js-xds/package.json")), "deps");
  const definition = loadSync(
    [
      "envoy/service/discovery/v3/ads.proto",
      "envoy/config/listener/v3/listener.proto",
      "envoy/config/route/v3/route.proto",
      "envoy/config/cluster/v3/cluster.proto",
      "envoy/config/endpoint/v3/endpoint.proto",
      "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
      "envoy/extensions/filters/http/router/v3/router.proto",
      "envoy/extensions/transport_sockets/tls/v3/tls.proto",
    ],
    {
      keepCase: true,
      longs: String,
      enums: String,
      defaults: true,
      includeDirs: ["envoy-api", "xds", "googleapis", "protoc-gen-validate"].map((folder) => join(brought, folder)),
    },
  );
  const loaded = loadPackageDefinition(definition) as unknown as {
    envoy: { service: { discovery: { v3: { AggregatedDiscoveryService: ServiceClientConstructor } } } };
  };
  return loaded.envoy.service.discovery.v3.AggregatedDiscoveryService.service;
}

/** State of the world: an answer to each first request for names, none to the acknowledgement of one. */
function stream(call: ServerDuplexStream<DiscoveryRequest, DiscoveryResponse>): void {
  const answered = new Map<string, string>();
  let nonce = 0;
  call.on("data", ({ type_url, resource_names, error_detail }: DiscoveryRequest) => {
    if (error_detail) process.stderr.write(`ads-server: the client refused ${type_url}: ${error_detail.message}\n`);
    const asked = resource_names.join();
    if (answered.get(type_url) === asked) return;
    answered.set(type_url, asked);
    const known = resources.filter(({ name, resource }) => resource["@type"] === type_url && resource_names.includes(name));
    call.write({ version_info: "1", type_url, nonce: String(++nonce), resources: known.map(({ resource }) => resource) });
  });
  call.on("error", () => {
    // The client went away: nobody is left to be told.
  });
  call.on("end", () => call.end());
}

function tell(message: ServerAnswer): void {
  process.send?.(message);
}

const server = new Server();
server.addService(discoveryService(), { StreamAggregatedResources: stream });
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  tell({ kind: "listening", address: `127.0.0.1:${port}` });
});
