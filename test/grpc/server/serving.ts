import { ChannelCredentials, Client, type ClientOptions, type Server } from "@grpc/grpc-js";
import { createMesh, type Mesh, type MeshOptions } from "@heddle/core";
import { type GrpcListener, type GrpcListenOptions, grpcServer, listenGrpc } from "@heddle/grpc";
import { httpTransport } from "@heddle/http";
import { type TestAuthority, testAuthority } from "@heddle/testing/authority";
import { onTestFinished } from "vitest";
import { Echo, type EchoHandlers, echoHandlers } from "./echo-service.ts";

/** A line of the access log. */
export interface Line {
  readonly direction: string;
  readonly path: string;
  readonly status?: number;
  readonly outcome: string;
  readonly why?: string;
  readonly route?: string;
  readonly peer_id?: string;
}

export interface ServedEcho {
  readonly mesh: Mesh;
  readonly server: Server;
  readonly listener: GrpcListener;
  readonly lines: Line[];
  readonly problems: string[];
  /** Calls that the stack counts as being served. */
  inFlight(): number;
}

export interface ServingOptions extends Partial<MeshOptions> {
  readonly handlers?: Partial<EchoHandlers>;
  readonly listen?: GrpcListenOptions;
}

/** The echo service as `reviews`, behind what its inbound document says, on loopback; it ends with the test. */
export async function served(inbound: object, { handlers, listen, ...options }: ServingOptions = {}): Promise<ServedEcho> {
  const lines: Line[] = [];
  const problems: string[] = [];
  const mesh = createMesh({
    service: "reviews",
    config: { apiVersion: "heddle/v1", services: { reviews: { inbound } } },
    transport: httpTransport(),
    accessLog: { logger: { info: (line) => lines.push(line as Line) }, includeQuery: true },
    onProblem: ({ message }) => problems.push(message),
    ...options,
  });
  onTestFinished(() => mesh.close({ limit: 500 }));
  await mesh.ready();
  const server = grpcServer();
  server.addService(Echo, echoHandlers(handlers));
  const listener = await listenGrpc(mesh, server, { host: "127.0.0.1", ...listen });
  return { mesh, server, listener, lines, problems, inFlight: () => mesh.inspect().inbound.inFlight };
}

/** A plain client of grpc-js with a connection of its own; it ends with the test. */
export function client(port: number, credentials = ChannelCredentials.createInsecure(), options: ClientOptions = {}): Client {
  const made = new Client(`127.0.0.1:${port}`, credentials, {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.initial_reconnect_backoff_ms": 100,
    ...options,
  });
  onTestFinished(() => made.close());
  return made;
}

/** Proves to be `service` of this authority, and looks for its certificate alone: whom it calls is not what is tested. */
export function provingTo(authority: TestAuthority, service: string): ChannelCredentials {
  const { certPem, keyPem } = authority.issue(service);
  return ChannelCredentials.createSsl(Buffer.from(authority.bundlePem()), Buffer.from(keyPem), Buffer.from(certPem), {
    checkServerIdentity: () => undefined,
  });
}

export const authority: TestAuthority = testAuthority();
