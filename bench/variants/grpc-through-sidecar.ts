import { SERVICE } from "../document.ts";
import { get, metadataFor, plainClient } from "../grpc-service.ts";
import type { OpenVariant } from "../variant.ts";

/** Raw grpc-js that calls the service by its name and is connected to the sidecar beside it, in plaintext. */
export const open: OpenVariant = async ({ addresses: [sidecar = ""], path }) => {
  const client = plainClient(sidecar, null, { "grpc.default_authority": SERVICE });
  const metadata = metadataFor(path);
  return {
    call: () => get(client, metadata),
    async close() {
      client.close();
    },
  };
};
