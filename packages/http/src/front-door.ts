import { type Handler, localResponse, type Mesh, type MeshResponse, meshError } from "@heddle/core";

/** How a failure of the mesh leaves a front door: as a rejection, or as the answer that a proxy in its place would give. */
export type Failures = "reject" | "response";

/** What every front door stands on. */
export interface FrontDoor {
  readonly mesh: Mesh;
  /** Serves hosts that no service claims; null where the name must be a service's. */
  readonly unclaimed: Handler | null;
  readonly failures: Failures;
}

/** The header that names the code of a failure that was made an answer. */
export const ERROR_HEADER = "x-heddle-error";

/** The stack that serves an authority: its service's, that of unclaimed hosts, or one that fails with `unknown_service`. */
export function wayTo({ mesh, unclaimed }: FrontDoor, authority: string): Handler {
  const claimed = mesh.virtualHost(authority);
  if (claimed) return claimed;
  if (unclaimed && mesh.egress === "allow") return unclaimed;
  return () => Promise.reject(mesh.unknownService(authority));
}

/** The reply as the callers of this door expect failures. */
export function leaving({ failures }: FrontDoor, reply: Promise<MeshResponse>): Promise<MeshResponse> {
  return failures === "reject" ? reply : reply.catch(failureAnswer);
}

/** Throws what is not the mesh's: the caller's own mistakes and reasons have no status. */
export function failureAnswer(error: unknown): MeshResponse {
  const failure = meshError(error);
  if (!failure) throw error;
  return localResponse(failure.status, "", { [ERROR_HEADER]: failure.code });
}
