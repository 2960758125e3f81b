import type { Duplex } from "node:stream";
import { MeshError } from "@heddle/core";
import { isEncrypted } from "./listener-tls.ts";
import type { NodeConnections } from "./node-connection.ts";
import type { ServingMesh } from "./node-serving.ts";

const INSTEAD = "give mesh.attach a plain node:http server; the mesh does TLS itself";

/**
 * Throws `mtls_required` for connections whose TLS the application's own server made, while the policy asks for mutual TLS: of their
 * peers nothing is known to the mesh, and a caller that proves its identity would be nobody. Reported once.
 */
export function refuseForeignTls(mesh: ServingMesh, connections: NodeConnections): (socket: Duplex) => void {
  let isReported = false;
  return (socket) => {
    if (!isEncrypted(socket) || connections.of(socket).isEncrypted || mesh.serverTls.mode() === "disable") return;
    if (!isReported)
      mesh.reportProblem({
        where: "inbound",
        message: `requests are refused: this server makes TLS of its own; ${INSTEAD}`,
        severity: "error",
      });
    isReported = true;
    throw new MeshError("mtls_required", `the TLS of this connection is not the mesh's, and proves no identity to it; ${INSTEAD}`);
  };
}
