/** What makes a client of `@grpc/grpc-js` one of the mesh. These types stand without that package. */
export interface GrpcClientOptions {
  /** For grpc-js alone to call: what it gets is a channel, whose type only it has. */
  readonly channelFactoryOverride: (address: string, credentials: unknown, options: unknown) => never;
  readonly callInvocationTransformer: <Properties>(properties: Properties) => Properties;
}

/** The class of a generated client, whoever generated it. */
export type GrpcClientClass<Client, Options> = new (address: string, credentials: never, options?: Options) => Client;
