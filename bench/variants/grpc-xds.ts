import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ChannelCredentials, type ClientOptions, credentials } from "@grpc/grpc-js";
import { register, XdsChannelCredentials } from "@grpc/grpc-js-xds";
import { CERTIFICATES } from "../ads-resources.ts";
import { Child } from "../child.ts";
import { CALLER, SERVICE } from "../document.ts";
import { get, metadataFor, type ReviewsClient, ReviewsClient as ReviewsClientClass } from "../grpc-service.ts";
import { readCredentials } from "../handed-credentials.ts";
import type { ServerAnswer, ServerOrder } from "../protocol.ts";
import type { OpenVariant } from "../variant.ts";
import { grpcClientFacts } from "./grpc-client-facts.ts";

const START_MS = 10_000;

/** Files beside the folder of the authority, which go when it goes. */
function certificateProviders(authority: string): object {
  const { certificate, key, roots } = readCredentials(authority, CALLER);
  const file = (name: string, pem: string): string => {
    const path = join(authority, "..", `xds-${name}.pem`);
    writeFileSync(path, pem, { mode: 0o600 });
    return path;
  };
  const config = {
    certificate_file: file("certificate", certificate),
    private_key_file: file("key", key),
    ca_certificate_file: file("roots", roots),
    refresh_interval: "600s",
  };
  return { [CERTIFICATES]: { plugin_name: "file_watcher", config } };
}

/** grpc-js with its resolver of xDS, told the policies by a control plane in a process of its own; mutual TLS too, where there is an authority. */
export const open: OpenVariant = async ({ addresses, path, authority }) => {
  const args = [addresses.join(), ...(authority === null ? [] : ["mutual"])];
  const { child, first } = await Child.start<ServerOrder, ServerAnswer>("ads-server", "./ads-server.ts", args, START_MS);
  if (first.kind !== "listening") throw new Error(`ads-server said ${first.kind}`);
  process.env.GRPC_XDS_BOOTSTRAP_CONFIG = JSON.stringify({
    xds_servers: [{ server_uri: first.address, channel_creds: [{ type: "insecure" }] }],
    // Without a locality it refuses every call.
    node: { id: "bench", locality: {} },
    ...(authority === null ? {} : { certificate_providers: certificateProviders(authority) }),
  });
  register();
  const plain = credentials.createInsecure();
  const channel: ChannelCredentials = authority === null ? plain : new XdsChannelCredentials(plain);
  const options: ClientOptions = { "grpc.use_local_subchannel_pool": 1 };
  const client = new ReviewsClientClass(`xds:///${SERVICE}`, channel, options) as unknown as ReviewsClient;
  const metadata = metadataFor(path);
  return {
    call: () => get(client, metadata),
    verify: () => grpcClientFacts(client),
    async close() {
      client.close();
      await child.stop(null);
    },
  };
};
