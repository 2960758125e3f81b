import { identity, joinMesh } from "heddle";
import { CALLER, grpcDocument, mutualGrpcDocument, SERVICE } from "../document.ts";
import { get, metadataFor, type ReviewsClient, ReviewsClient as ReviewsClientClass, statusOf } from "../grpc-service.ts";
import type { OpenVariant } from "../variant.ts";
import { meshFacts } from "./mesh-facts.ts";
import { mutualFacts } from "./mutual-facts.ts";
import { startTracing } from "./tracing.ts";

type JoinedMesh = Awaited<ReturnType<typeof joinMesh>>;

/** As an HTTP probe answers, so that the same checks do. */
const ANSWERS: Readonly<Record<number, string>> = { 0: "200", 4: "deadline_exceeded", 7: "403" };

/** A joined mesh with an SDK that samples nothing, or without one, called by a generated client; by mutual TLS where there is an authority. */
export function throughGrpcMesh(isTraced: boolean): OpenVariant {
  return async ({ addresses, path, authority }) => {
    const stopTracing = isTraced ? startTracing(false) : async () => {};
    const mesh = await (authority === null ? joinMesh({ config: grpcDocument(addresses) }) : joinMutually(addresses, authority));
    const client = mesh.grpc(ReviewsClientClass, SERVICE) as unknown as ReviewsClient;
    const metadata = metadataFor(path);
    const call = () => get(client, metadata);
    const probe = async (probed: string): Promise<string> => {
      const status = await statusOf(client, probed);
      return ANSWERS[status] ?? String(status);
    };
    return {
      call,
      async verify(requests, counts) {
        const tested = { inspect: () => mesh.inspect(), flaky: addresses[0] ?? "", call, probe, success: "grpc:ok" };
        const facts = await meshFacts(tested, requests, counts, isTraced);
        return authority === null ? facts : [...facts, ...(await mutualFacts(tested, requests, counts))];
      },
      async close() {
        client.close();
        await mesh.close();
        await stopTracing();
      },
    };
  };
}

function joinMutually(addresses: readonly string[], authority: string): Promise<JoinedMesh> {
  const dev = identity.dev({ dir: authority, service: CALLER });
  // That a development authority is none for production is known here.
  return joinMesh({ config: mutualGrpcDocument(addresses), identity: dev, onProblem() {} });
}
