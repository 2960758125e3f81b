import type { Mesh, Transport } from "@heddle/core";
import { type FakeTransport, type FakeTransportOptions, fakeTransport } from "./fake-transport.ts";
import { type FakeGrpcTransport, fakeGrpcTransport } from "./grpc/fake-grpc-transport.ts";
import { grpcPackage } from "./grpc-package.ts";

/** The class of a generated client, whoever generated it. */
export type TestGrpcClientClass<Client, Options> = new (address: string, credentials: never, options?: Options) => Client;

/** Options that make a generated client one of the mesh; what grpc-js gives them has types that it alone has. */
export interface TestGrpcClientOptions {
  readonly channelFactoryOverride: (address: string, credentials: unknown, options: unknown) => never;
  readonly callInvocationTransformer: <Properties>(properties: Properties) => Properties;
}

/** A generated client of a service: `t.grpc(ReviewsClient, "reviews")`. Needs `@heddle/grpc`. */
export type TestGrpc = <Client, Options extends object>(
  clientClass: TestGrpcClientClass<Client, Options>,
  service: string,
  options?: Options,
) => Client;

export function testGrpc(mesh: Mesh): TestGrpc {
  return <Client, Options extends object>(clientClass: TestGrpcClientClass<Client, Options>, service: string, options?: Options) => {
    const { meshGrpc } = grpcPackage();
    // A class that was generated for grpc-js takes its credentials, of which these types know nothing.
    type Generated = Parameters<typeof meshGrpc<Client, Options>>[1];
    return meshGrpc(mesh, clientClass as object as Generated, service, options);
  };
}

export function testGrpcOptions(mesh: Mesh): TestGrpcClientOptions {
  return grpcPackage().meshGrpcOptions(mesh) as object as TestGrpcClientOptions;
}

/** The fakes of all protocols as one transport. */
export interface FakeTransports extends Transport {
  readonly http: FakeTransport;
  readonly grpc: FakeGrpcTransport;
}

export function fakeTransports(options: FakeTransportOptions): FakeTransports {
  const http = fakeTransport(options);
  const grpc = fakeGrpcTransport(options);
  return { http, grpc, open: (settings) => (settings.protocol === "grpc" ? grpc : http).open(settings) };
}
