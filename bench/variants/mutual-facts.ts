import { FORBIDDEN, idOf, SERVICE } from "../document.ts";
import type { Fact, ServerCounts } from "../protocol.ts";
import type { MeshUnderTest } from "./mesh-facts.ts";

/** Checks from `inspect()`, the servers' own counts and an answer that both sides were verified, and the caller authorized. */
export async function mutualFacts(mesh: MeshUnderTest, requests: number, counts: ServerCounts): Promise<readonly Fact[]> {
  const { backends, identity } = mesh.inspect();
  const backend = backends.find(({ name }) => name === SERVICE);
  const verified = Object.values(counts).reduce((sum, count) => sum + count.verified, 0);
  const forbidden = await mesh.probe(FORBIDDEN);
  return [
    {
      name: "mutual TLS: the mesh proved its identity, and its servers have one that is expected",
      holds: backend?.tls === "mutual" && identity?.certificate?.isValid === true,
      seen: `${backend?.tls} to ${idOf(SERVICE)} as ${identity?.certificate?.id}`,
    },
    { name: "every request was of a caller that the servers verified", holds: verified === requests, seen: `${verified} of ${requests}` },
    { name: "authorization: what no rule allows is refused", holds: forbidden === "403", seen: `${FORBIDDEN}: ${forbidden}` },
  ];
}
