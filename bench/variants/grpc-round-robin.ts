import { get, metadataFor } from "../grpc-service.ts";
import type { OpenVariant } from "../variant.ts";
import { grpcClientFacts } from "./grpc-client-facts.ts";
import { roundRobinClient } from "./grpc-service-config.ts";

/** What grpc-js itself has: its round robin with retries, a deadline and outlier detection by service config. */
export const open: OpenVariant = async ({ addresses, path }) => {
  const client = roundRobinClient(addresses);
  const metadata = metadataFor(path);
  return {
    call: () => get(client, metadata),
    verify: () => grpcClientFacts(client),
    async close() {
      client.close();
    },
  };
};
