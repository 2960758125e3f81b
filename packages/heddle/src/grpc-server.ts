import type { AddressInfo } from "node:net";
import type { Attachment, HealthCheck } from "@heddle/http";

/** A `Server` of `@grpc/grpc-js`, as far as the mesh says anything of it: these types stand without that package. */
export interface GrpcServer {
  addService(service: object, implementation: object): void;
  bindAsync(address: string, credentials: never, callback: (error: Error | null, port: number) => void): void;
}

export interface GrpcListenOptions {
  /** 0 to 65535. Default 0: any free port. */
  readonly port?: number;
  /** Address to listen on. Default: every address of this machine, as with node:net. */
  readonly host?: string;
  /** `grpc.health.v1`, answered outside of every policy. Default `{}`. `false`, or a server that has it already: the application's own. */
  readonly health?: { readonly checks?: Readonly<Record<string, HealthCheck>> } | false;
}

export interface GrpcListener extends Attachment {
  /** `http://127.0.0.1:9081`; localhost where it listens on every address; `https://` while only mutual TLS is let in. */
  readonly url: string;
  readonly port: number;
  readonly address: AddressInfo;
}

/** Whichever copy of grpc-js made it: a copy that does not fit is refused where it is served. */
export function isGrpcServer(application: object): application is GrpcServer {
  const { addService, bindAsync } = application as Partial<GrpcServer>;
  return typeof addService === "function" && typeof bindAsync === "function";
}
