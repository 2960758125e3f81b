import type { JoinedMesh } from "../../join.ts";
import { RatingsClient } from "./ratings.ts";

/** The stars of a product, by gRPC. */
export function starsByGrpc(mesh: JoinedMesh): (product: string) => Promise<readonly number[]> {
  const ratings = mesh.grpc(RatingsClient, "ratings");
  return async (product) => (await ratings.get(product)).stars;
}
