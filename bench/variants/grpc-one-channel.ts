import { get, metadataFor, plainClient } from "../grpc-service.ts";
import type { OpenVariant } from "../variant.ts";

/** grpc-js to one endpoint: what a call costs with nothing around it, and one connection to read and write in a row. */
export const open: OpenVariant = async ({ addresses, path, authority }) => {
  const client = plainClient(addresses[0] ?? "", authority);
  const metadata = metadataFor(path);
  return {
    call: () => get(client, metadata),
    async close() {
      client.close();
    },
  };
};
