import { get, metadataFor, plainClient } from "../grpc-service.ts";
import type { OpenVariant } from "../variant.ts";
import { inTurn } from "./in-turn.ts";

/** grpc-js to each of the endpoints in turn, by hand. */
export const open: OpenVariant = async ({ addresses, path, authority }) => {
  const clients = addresses.map((address) => plainClient(address, authority));
  const metadata = metadataFor(path);
  const next = inTurn(clients);
  return {
    call: () => get(next(), metadata),
    async close() {
      for (const client of clients) client.close();
    },
  };
};
