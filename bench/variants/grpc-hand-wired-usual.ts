import { grpcHandWired } from "./grpc-hand-wired.ts";

/** Every span is sampled: the default of the SDK. */
export const open = grpcHandWired(true);
