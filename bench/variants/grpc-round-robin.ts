import { TOTAL_MS } from "../document.ts";
import { get, metadataFor, plainClient } from "../grpc-service.ts";
import type { OpenVariant } from "../variant.ts";

const SERVICE_CONFIG = {
  loadBalancingConfig: [
    {
      outlier_detection: {
        interval: { seconds: 10, nanos: 0 },
        base_ejection_time: { seconds: 30, nanos: 0 },
        max_ejection_percent: 50,
        success_rate_ejection: {},
        child_policy: [{ round_robin: {} }],
      },
    },
  ],
  methodConfig: [
    {
      name: [{}],
      timeout: { seconds: TOTAL_MS / 1_000, nanos: 0 },
      retryPolicy: {
        maxAttempts: 3,
        initialBackoff: "0.025s",
        maxBackoff: "0.25s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
};

/** What grpc-js itself has: its round robin with retries, a deadline and outlier detection by service config. */
export const open: OpenVariant = async ({ addresses, path }) => {
  const client = plainClient(`ipv4:${addresses.join(",")}`, { "grpc.service_config": JSON.stringify(SERVICE_CONFIG) });
  const metadata = metadataFor(path);
  return {
    call: () => get(client, metadata),
    async close() {
      client.close();
    },
  };
};
