import type { ChannelOptions } from "@grpc/grpc-js";
import type { Mesh } from "@heddle/core";

/** What of a client's options belongs to its connections, or to what is written to them. */
const OF_CONNECTIONS = [
  "grpc.primary_user_agent",
  "grpc.secondary_user_agent",
  "grpc.keepalive_time_ms",
  "grpc.keepalive_timeout_ms",
  "grpc.keepalive_permit_without_calls",
  "grpc.max_send_message_length",
  "grpc.max_receive_message_length",
  "grpc.default_compression_algorithm",
  "grpc-node.max_session_memory",
  "grpc-node.flow_control_window",
] as const;

/** What the document says in their place, so that a client that has them would be told twice, or in vain. */
const OF_THE_MESH = ["grpc.service_config", "grpc.enable_retries", "grpc.lb_policy_name"] as const;

/**
 * The options that connections below have to have, or null for none. Equal ones are one object, so that clients that differ in nothing
 * share connections.
 */
export function clientVariant(options: ChannelOptions, known: Map<string, object>): object | null {
  const own: Record<string, unknown> = {};
  for (const name of OF_CONNECTIONS) if (options[name] !== undefined) own[name] = options[name];
  const key = JSON.stringify(own);
  if (key === "{}") return null;
  const variant = known.get(key) ?? Object.freeze(own);
  known.set(key, variant);
  return variant;
}

/** Says once for each client which of its options are not used. */
export function reportUnused(options: ChannelOptions, target: string, mesh: Mesh): void {
  const unused = OF_THE_MESH.filter((name) => options[name] !== undefined);
  if (unused.length === 0) return;
  mesh.reportProblem({
    where: `gRPC client of ${target}`,
    message: `${unused.join(", ")}: not used, because the configuration of the mesh says how calls are balanced and tried again`,
    severity: "warning",
  });
}
