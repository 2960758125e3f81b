export { type GrpcClientClass, type MeshGrpcOptions, meshGrpc, meshGrpcOptions } from "./grpc-options.ts";
export { grpcTransport } from "./grpc-transport.ts";
export { headersOf, metadataOf } from "./metadata.ts";
export { grpcServer } from "./server.ts";
export { serverCredentials } from "./server-credentials.ts";
export type { GrpcHealthOptions } from "./server-health.ts";
export { type GrpcListener, type GrpcListenOptions, listenGrpc } from "./server-listen.ts";
