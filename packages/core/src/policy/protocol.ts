import { MeshError } from "../errors.ts";
import { type MeshRequest, requestName } from "../message.ts";
import type { Backend } from "../model/backend.ts";
import { GrpcStatus } from "../rpc.ts";

/** gRPC calls go to backends of protocol `grpc`, and nothing else does. */
export function refusesProtocol(isRpc: boolean, protocol: Backend["protocol"]): boolean {
  return isRpc !== (protocol === "grpc");
}

export function wrongProtocol(request: MeshRequest, backend: string, protocol: Backend["protocol"]): MeshError {
  const why =
    protocol === "grpc"
      ? "has protocol: grpc, and this is no gRPC call; call it with a generated client, made with mesh.grpcOptions()"
      : `has protocol: ${protocol}, and this is a gRPC call; say protocol: grpc where the service is configured`;
  const message = `${requestName(request)}: ${backend} ${why}; nothing was sent`;
  return new MeshError("protocol_error", message, { grpcStatus: GrpcStatus.FAILED_PRECONDITION });
}
