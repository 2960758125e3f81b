import { MeshError } from "../../errors.ts";

/** The error of the mesh for one that a policy of cockatiel or a breaker of opossum makes itself; null for any other. */
export function ofPolicy(error: unknown, name: string): MeshError | null {
  if (!(error instanceof Error)) return null;
  const { code } = error as { code?: unknown };
  const because = (what: string) => `the policy ${name} ${what}: ${error.message}`;
  if ("isBrokenCircuitError" in error || code === "EOPENBREAKER" || code === "ESHUTDOWN")
    return new MeshError("breaker_open", because("lets no call through"), { cause: error });
  if ("isBulkheadRejectedError" in error || code === "ESEMLOCKED")
    return new MeshError("overloaded", because("has no room for another call"), { cause: error });
  if ("isTaskCancelledError" in error || (code === "ETIMEDOUT" && error.message.startsWith("Timed out after")))
    return new MeshError("attempt_timeout", because("gave up"), { cause: error });
  return null;
}
