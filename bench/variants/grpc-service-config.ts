import type { ClientOptions } from "@grpc/grpc-js";
import { TOTAL_MS } from "../document.ts";
import { plainClient, type ReviewsClient } from "../grpc-service.ts";

/** The policies of `grpcDocument`, as far as grpc-js has them. Its outlier detection looks at shares of failures, each interval; there are no ejections after failures in a row. */
export const OUTLIERS = {
  intervalSeconds: 1,
  baseEjectionSeconds: 30,
  mostPercent: 50,
  failurePercent: 85,
  fewestHosts: 3,
  fewestCalls: 10,
};
export const RETRIES = { attempts: 3, firstDelay: "0.025s", longestDelay: "0.25s" };

const SERVICE_CONFIG = {
  loadBalancingConfig: [
    {
      outlier_detection: {
        interval: { seconds: OUTLIERS.intervalSeconds, nanos: 0 },
        base_ejection_time: { seconds: OUTLIERS.baseEjectionSeconds, nanos: 0 },
        max_ejection_percent: OUTLIERS.mostPercent,
        failure_percentage_ejection: {
          threshold: OUTLIERS.failurePercent,
          enforcement_percentage: 100,
          minimum_hosts: OUTLIERS.fewestHosts,
          request_volume: OUTLIERS.fewestCalls,
        },
        child_policy: [{ round_robin: {} }],
      },
    },
  ],
  methodConfig: [
    {
      name: [{}],
      timeout: { seconds: TOTAL_MS / 1_000, nanos: 0 },
      retryPolicy: {
        maxAttempts: RETRIES.attempts,
        initialBackoff: RETRIES.firstDelay,
        maxBackoff: RETRIES.longestDelay,
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
};

export function roundRobinClient(addresses: readonly string[], options: ClientOptions = {}): ReviewsClient {
  return plainClient(`ipv4:${addresses.join(",")}`, null, { "grpc.service_config": JSON.stringify(SERVICE_CONFIG), ...options });
}
