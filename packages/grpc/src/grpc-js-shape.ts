import type { ClientHttp2Session, OutgoingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import type * as grpcJs from "@grpc/grpc-js";
import { MeshError } from "@heddle/core";

/** The versions of grpc-js that are tested, as package.json asks for them. */
const SUPPORTED = "^1.14.0";

type Part = "function" | "object" | "string";

/** All that is used of grpc-js's client beside its public API, as it is in version 1.14. */
export interface Shape {
  readonly subchannelPool: {
    getOrCreateSubchannel(target: unknown, address: object, options: object, credentials: object): Shape["subchannel"];
  };
  readonly target: unknown;
  readonly subchannel: { connector: Pick<Shape["connector"], "connect" | "shutdown">; resetBackoff(): void };
  readonly connector: {
    readonly session: ClientHttp2Session | null;
    connect(address: object, secureConnector: unknown, options: object): Promise<Shape["transport"]>;
    createSession(connected: { socket: Socket; secure: boolean }, address: object, options: object): Promise<Shape["transport"]>;
    shutdown(): void;
  };
  readonly transport: {
    readonly userAgent: string;
    addDisconnectListener(listener: () => void): void;
    /** Of what it needs for its own head, nothing is used: the stream is ours. */
    createCall(
      metadata: { toHttp2Headers(): OutgoingHttpHeaders },
      host: string,
      method: string,
      listener: CallListener,
      tracker: object,
      number: number,
    ): Shape["call"];
  };
  readonly call: {
    startRead(): void;
    sendMessageWithContext(context: { readonly callback?: () => void }, frame: Buffer): void;
    halfClose(): void;
    cancelWithStatus(code: number, details: string): void;
  };
}

export interface CallListener {
  onReceiveMetadata(): void;
  /** Of a call of grpc-js: with the frame around it. */
  onReceiveMessage(message: Buffer): void;
  onReceiveStatus(status: CallStatus): void;
}

/** What grpc-js makes of how a call ended. `rstCode`: its stream was reset so, or ended without a status. */
export type CallStatus = Pick<grpcJs.StatusObject, "code" | "details"> & { readonly rstCode?: number };

type Inner = Pick<Shape, "subchannelPool" | "target">;

export class GrpcJsShapeError extends Error {
  of(version: string): MeshError {
    const words = `@grpc/grpc-js ${version} is not made as this version of @heddle/grpc needs it: ${this.message}. Install one of ${SUPPORTED}`;
    return new MeshError("invalid_config", words);
  }
}

/** Everything but the transport, which there is with a connection only. Connects to nothing. */
export function checkShape(module: typeof grpcJs, options: grpcJs.ChannelOptions): void {
  for (const name of ["Channel", "credentials"] as const)
    if (module[name] === undefined) throw new GrpcJsShapeError(`no ${name} is exported`);
  const credentials = module.credentials.createInsecure();
  const channel = new module.Channel("unix:none", credentials, options);
  const { subchannelPool, target } = shapeOf(channel);
  const subchannel = subchannelPool.getOrCreateSubchannel(target, { path: "none" }, {}, credentials);
  partOf(subchannel, "subchannel", "resetBackoff", "function");
  const connector = partOf(subchannel, "subchannel", "connector") as Shape["connector"];
  for (const name of ["connect", "createSession", "shutdown"] as const) partOf(connector, "connector", name, "function");
  channel.close();
}

export function shapeOf(channel: grpcJs.Channel): Inner {
  const inner = partOf(channel as unknown as { readonly internalChannel: Inner }, "Channel", "internalChannel");
  const subchannelPool = partOf(inner, "internalChannel", "subchannelPool");
  partOf(subchannelPool, "subchannelPool", "getOrCreateSubchannel", "function");
  return { subchannelPool, target: partOf(inner, "internalChannel", "target") };
}

export function partOf<Whole extends object, Name extends keyof Whole & string>(
  whole: Whole,
  of: string,
  name: Name,
  kind: Part = "object",
): NonNullable<Whole[Name]> {
  const part = whole[name];
  if (part === undefined || part === null || typeof part !== kind) throw new GrpcJsShapeError(`${of}.${name} is no ${kind}`);
  return part;
}
