import type { ChannelInterface } from "@grpc/grpc-js";

// What grpc-js has no exported name for.

export type GrpcCall = ReturnType<ChannelInterface["createCall"]>;
export type MessageContext = Parameters<GrpcCall["sendMessageWithContext"]>[0];
export type CallListener = Parameters<GrpcCall["start"]>[1];
/** The call of a server, in the handler of which another call is made. */
export type ParentCall = NonNullable<Parameters<ChannelInterface["createCall"]>[3]>;

export function nothing(): void {}
