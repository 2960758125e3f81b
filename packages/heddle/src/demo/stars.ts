import type { JoinedMesh } from "../join.ts";

/** The stars of a product: of a `ratings` that speaks gRPC, where that is installed, else of one that speaks HTTP. A project of your own knows which. */
export async function starsOf(mesh: JoinedMesh, protocol: string): Promise<(product: string) => Promise<readonly number[]>> {
  if (protocol === "grpc") {
    const { starsByGrpc } = await import("./grpc/stars.ts");
    return starsByGrpc(mesh);
  }
  const ratings = mesh.service("ratings");
  return async (product) => {
    const rating = await ratings.get(`/ratings/${product}`);
    if (!rating.ok) throw new Error(`ratings answered ${rating.status}`);
    return (await rating.json<{ readonly stars: readonly number[] }>()).stars;
  };
}
