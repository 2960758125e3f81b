import { grpcHandWired } from "./grpc-hand-wired.ts";

/** No span is sampled, as in the mesh. */
export const open = grpcHandWired(false);
