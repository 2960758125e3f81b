import { Server, type ServerOptions } from "@grpc/grpc-js";

/** Costs something at every call, and nothing of the mesh reads it. */
const DEFAULTS: ServerOptions = { "grpc.enable_channelz": 0 };

/** A gRPC server to add services to and give to {@link listenGrpc}; `options` are those of grpc-js. Any other `grpc.Server` will do as well. */
export function grpcServer(options: ServerOptions = {}): Server {
  return new Server({ ...DEFAULTS, ...options });
}
