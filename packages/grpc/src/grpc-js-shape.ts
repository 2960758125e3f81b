import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import type { Socket } from "node:net";
import type { Channel } from "@grpc/grpc-js";
import { MeshError } from "@heddle/core";

/** The versions of grpc-js that are tested, as package.json asks for them. */
const SUPPORTED = "^1.14.0";

type Part = "function" | "object" | "string";

/** What is used of grpc-js beside its public API, of version 1.14. */
export interface Shape {
  readonly internalChannel: {
    createRetryingCall(...args: CreateCall): InnerCall;
    createLoadBalancingCall(...args: CreateCall): InnerCall;
  };
  readonly subchannelPool: {
    getOrCreateSubchannel(target: unknown, address: object, options: object, credentials: object): Shape["subchannel"];
  };
  readonly target: unknown;
  readonly subchannel: { connector: Connector; resetBackoff(): void };
  readonly transport: {
    userAgent: string;
    addDisconnectListener(listener: () => void): void;
    createCall(
      metadata: { toHttp2Headers(): OutgoingHttpHeaders },
      host: string,
      method: string,
      listener: unknown,
      tracker: unknown,
      number: number,
    ): { readonly http2Stream: ClientHttp2Stream };
  };
}

type CreateCall = [config: unknown, method: string, host: string, credentials: unknown, deadline: unknown, number: number];

interface InnerCall {
  cancelWithStatus(status: number, details: string): void;
}

interface Connector {
  session: ClientHttp2Session | null;
  connect(address: object, secureConnector: unknown, options: object): Promise<Shape["transport"]>;
  createSession(connected: { socket: Socket; secure: boolean }, address: object, options: object): Promise<Shape["transport"]>;
  shutdown(): void;
}

export class GrpcJsShapeError extends Error {
  of(version: string): MeshError {
    const words = `@grpc/grpc-js ${version} is not made as this version of @heddle/grpc needs it: ${this.message}. Install one of ${SUPPORTED}`;
    return new MeshError("invalid_config", words);
  }
}

export function shapeOf(channel: Channel): Pick<Shape, "internalChannel" | "subchannelPool" | "target"> {
  const internalChannel = partOf(channel as unknown as Record<"internalChannel", Shape["internalChannel"]>, "Channel", "internalChannel");
  for (const name of ["createRetryingCall", "createLoadBalancingCall"] as const)
    partOf(internalChannel, "internalChannel", name, "function");
  const inner = internalChannel as unknown as Pick<Shape, "subchannelPool" | "target">;
  const subchannelPool = partOf(inner, "internalChannel", "subchannelPool");
  partOf(subchannelPool, "subchannelPool", "getOrCreateSubchannel", "function");
  return { internalChannel, subchannelPool, target: partOf(inner, "internalChannel", "target") };
}

export function partOf<Whole extends object, Name extends keyof Whole & string>(
  whole: Whole,
  of: string,
  name: Name,
  kind: Part = "object",
): Whole[Name] {
  const part = whole[name];
  if (part === undefined || part === null || typeof part !== kind) throw new GrpcJsShapeError(`${of}.${name} is no ${kind}`);
  return part;
}
