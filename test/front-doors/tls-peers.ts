import { once } from "node:events";
import type { RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { createServer, type Server, type Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import { Attempt, Cancel, type Channel, type ChannelSettings, derive, type MeshRequest, RequestContext } from "@heddle/core";
import { httpTransport } from "@heddle/http";
import { onTestFinished } from "vitest";
import { LiveAuthority, REVIEWS, WEB } from "../../packages/http/test/tls.ts";

export const authority: LiveAuthority = new LiveAuthority();
export const ours = authority.issue(WEB);
/** What a server of the mesh demands. */
export const mutual: TlsOptions = { ...authority.issue(REVIEWS), requestCert: true, rejectUnauthorized: true };

export interface TlsPeer {
  readonly address: string;
  readonly server: Server;
  /** Raw ones, open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** How many connections were ever made. */
  readonly connections: () => number;
}

/** A server that listens on loopback, or on a path, and ends with the test. */
export async function listening(server: Server, path?: string): Promise<TlsPeer> {
  let connections = 0;
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  if (path === undefined) server.listen(0, "127.0.0.1");
  else server.listen(path);
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const bound = server.address();
  const address = typeof bound === "object" && bound !== null ? `127.0.0.1:${bound.port}` : `unix:${bound}`;
  return { address, server, sockets, connections: () => connections };
}

export function httpsPeer(listener: RequestListener, options: TlsOptions = mutual, path?: string): Promise<TlsPeer> {
  return listening(createHttpsServer(options, listener), path);
}

/** One that does with each raw connection what the test says. */
export function rawPeer(greet: (socket: Socket) => unknown): Promise<TlsPeer> {
  return listening(createServer(greet));
}

export function openChannel(settings: Partial<ChannelSettings> & { readonly address: string }): Channel {
  const channel = httpTransport().open({ protocol: "http1", tls: null, maxConnections: 10, connectTimeoutMs: 5_000, ...settings });
  onTestFinished(() => channel.destroy(new Error("the test is over")));
  return channel;
}

export function requestTo(host: string, change: Partial<MeshRequest> = {}): MeshRequest {
  const cancel = new Cancel();
  const context = new RequestContext(0, {}, cancel, null);
  const plain: MeshRequest = {
    method: "GET",
    scheme: "http",
    authority: host,
    path: "/",
    headers: {},
    body: null,
    context,
    cancel,
    attempt: new Attempt(1, 0),
  };
  return derive(plain, change);
}
