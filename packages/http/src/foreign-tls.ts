import type { Duplex } from "node:stream";
import { MeshError } from "@heddle/core";
import type { NodeConnections } from "./node-connection.ts";
import type { Guard, ServingMesh } from "./node-serving.ts";

const INSTEAD = "give mesh.attach a plain node:http server; the mesh does TLS itself";

/**
 * Refuses connections whose TLS the application's own server made, while the policy asks for mutual TLS: of their peers nothing is known
 * to the mesh, and a caller that proves its identity would be nobody. Reported once.
 */
export function refuseForeignTls(mesh: ServingMesh, connections: NodeConnections): Guard {
  let isReported = false;
  return (socket) => {
    if (!isEncrypted(socket) || connections.of(socket).isEncrypted || mesh.serverTls.mode() === "disable") return null;
    if (!isReported)
      mesh.reportProblem({
        where: "inbound",
        message: `requests are refused: this server makes TLS of its own; ${INSTEAD}`,
        severity: "error",
      });
    isReported = true;
    return new MeshError("mtls_required", `the TLS of this connection is not the mesh's, and proves no identity to it; ${INSTEAD}`);
  };
}

/** By TLS, whoever made it. */
function isEncrypted(socket: Duplex): boolean {
  return "encrypted" in socket && socket.encrypted === true;
}
