import { joinMesh } from "heddle";
import { grpcDocument, SERVICE } from "../document.ts";
import { get, metadataFor, type ReviewsClient, ReviewsClient as ReviewsClientClass } from "../grpc-service.ts";
import type { OpenVariant } from "../variant.ts";
import { meshFacts } from "./mesh-facts.ts";
import { startTracing } from "./tracing.ts";

/** A joined mesh with an SDK that samples nothing, or without one, called by a generated client. */
export function throughGrpcMesh(isTraced: boolean): OpenVariant {
  return async ({ addresses, path }) => {
    const stopTracing = isTraced ? startTracing(false) : async () => {};
    const mesh = await joinMesh({ config: grpcDocument(addresses) });
    const client = mesh.grpc(ReviewsClientClass, SERVICE) as unknown as ReviewsClient;
    const metadata = metadataFor(path);
    const call = () => get(client, metadata);
    /** As an HTTP probe answers, so that the same checks do. */
    const probe = (probed: string): Promise<string> =>
      get(client, metadataFor(probed)).then(
        () => "200",
        (error: { code?: number }) => (error.code === 4 ? "deadline_exceeded" : String(error.code)),
      );
    return {
      call,
      verify: (requests, counts) =>
        meshFacts(
          { inspect: () => mesh.inspect(), flaky: addresses[0] ?? "", call, probe, success: "grpc:ok" },
          requests,
          counts,
          isTraced,
        ),
      async close() {
        client.close();
        await mesh.close();
        await stopTracing();
      },
    };
  };
}
