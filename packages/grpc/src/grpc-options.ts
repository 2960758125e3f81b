import {
  type CallInvocationTransformer,
  type ChannelCredentials,
  type ChannelInterface,
  type ClientOptions,
  credentials,
} from "@grpc/grpc-js";
import type { CallOptions, Mesh, RpcKind } from "@heddle/core";
import { checkCallOptions } from "@heddle/http";
import { MeshChannel } from "./mesh-channel.ts";
import { reportUnused } from "./unused-options.ts";

declare module "@grpc/grpc-js/build/src/client.js" {
  interface CallOptions {
    /** For this call alone; narrows what the configuration of the mesh allows. */
    mesh?: import("@heddle/core").CallOptions;
  }
}

/** What makes a client of grpc-js one of the mesh: `new ReviewsClient("reviews", credentials.createInsecure(), meshGrpcOptions(mesh))`. */
export interface MeshGrpcOptions {
  readonly channelFactoryOverride: (address: string, credentials: ChannelCredentials, options: ClientOptions) => ChannelInterface;
  readonly callInvocationTransformer: CallInvocationTransformer;
}

/** A generated client's class. */
export type GrpcClientClass<Client, Options> = new (address: string, credentials: ChannelCredentials, options?: Options) => Client;

/**
 * Options for any generated client, also where a framework makes it. The address names the service. Of a framework that takes only the
 * factory, calls go through the mesh as well; `mesh` in the options of a call, and a report by the call, need the transformer.
 */
export function meshGrpcOptions(mesh: Mesh): MeshGrpcOptions {
  return optionsOf(mesh, true);
}

/**
 * A client of one service through the mesh. The name may be a service's or one of its hosts; one that no service claims fails each call with
 * UNAVAILABLE, whatever `mesh.egress` says. Options are those of the client; interceptors stand above the mesh. TLS is the mesh's affair.
 */
export function meshGrpc<Client, Options extends object>(
  mesh: Mesh,
  ClientOfService: GrpcClientClass<Client, Options>,
  service: string,
  options?: Options,
): Client {
  if (typeof ClientOfService !== "function") throw new TypeError("grpc: the class of a generated client is missing");
  if (typeof service !== "string" || service === "") throw new TypeError("grpc: the name of a service is missing");
  const own: ClientOptions = { ...options };
  for (const name of ["channelOverride", "channelFactoryOverride"] as const) {
    if (own[name] !== undefined) throw new TypeError(`grpc: ${name}: the channel is the mesh's`);
  }
  const ours = optionsOf(mesh, false);
  const theirs = own.callInvocationTransformer;
  const callInvocationTransformer: CallInvocationTransformer =
    theirs === undefined ? ours.callInvocationTransformer : (properties) => ours.callInvocationTransformer(theirs(properties));
  // The options of a generated client are those of grpc-js, whatever its class calls them.
  const all = { ...own, ...ours, callInvocationTransformer } as unknown as Options;
  return new ClientOfService(service, credentials.createInsecure(), all);
}

function optionsOf(mesh: Mesh, mayLeave: boolean): MeshGrpcOptions {
  return {
    channelFactoryOverride(target, channelCredentials, options) {
      reportUnused(options, target, mesh);
      return new MeshChannel({ mesh, target, credentials: channelCredentials, options: { ...options }, mayLeave });
    },
    callInvocationTransformer(properties) {
      const { channel, methodDefinition, callOptions, call } = properties;
      const options: CallOptions | undefined = callOptions.mesh;
      checkCallOptions(options);
      if (!(channel instanceof MeshChannel)) return properties;
      return { ...properties, channel: channel.knowing({ kind: kindOf(methodDefinition), options, surface: call }) };
    },
  };
}

function kindOf({ requestStream, responseStream }: { readonly requestStream: boolean; readonly responseStream: boolean }): RpcKind {
  if (requestStream) return responseStream ? "bidi-stream" : "client-stream";
  return responseStream ? "server-stream" : "unary";
}
