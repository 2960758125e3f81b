import { get, metadataFor, plainClient } from "../grpc-service.ts";
import type { OpenVariant } from "../variant.ts";

/** grpc-js to each of the endpoints in turn, by hand. */
export const open: OpenVariant = async ({ addresses, path }) => {
  const clients = addresses.map((address) => plainClient(address));
  const metadata = metadataFor(path);
  let next = 0;
  return {
    call: () => get(clients[next++ % clients.length] as (typeof clients)[number], metadata),
    async close() {
      for (const client of clients) client.close();
    },
  };
};
