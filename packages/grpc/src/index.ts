export { headersOf, metadataOf } from "./metadata.ts";
export { grpcServer } from "./server.ts";
export type { GrpcHealthOptions } from "./server-health.ts";
export { type GrpcListener, type GrpcListenOptions, listenGrpc } from "./server-listen.ts";
