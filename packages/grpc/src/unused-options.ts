import type { ChannelOptions } from "@grpc/grpc-js";
import type { Mesh } from "@heddle/core";

/** What the document says in their place, so that a client that has them would be told twice, or in vain. */
const OF_THE_MESH = ["grpc.service_config", "grpc.enable_retries", "grpc.lb_policy_name"] as const;

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
