import type { Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import { Server as NetServer, type Socket } from "node:net";
import { Server as TlsServer } from "node:tls";
import type { Serving } from "./node-serving.ts";

export type NodeServer = Server | SecureServer;

/** Notes connections that have not sent a request, so that closing need not wait for one that never comes (browsers connect ahead). */
export function watchConnections(server: NodeServer): Set<Socket> {
  const silent = new Set<Socket>();
  server.on(server instanceof TlsServer ? "secureConnection" : "connection", (socket: Socket) => {
    silent.add(socket);
    socket.once("close", () => silent.delete(socket));
  });
  return silent;
}

/**
 * Stops listening, lets every response get out to its last byte, then closes what is left.
 * Not `server.close()` at once: with it Node destroys connections whose response was ended but is not sent yet.
 */
export async function closeServer(server: NodeServer, serving: Serving, silent: ReadonlySet<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    NetServer.prototype.close.call(server, () => resolve());
  });
  await serving.close();
  // Also frees the timer with which the server checks its connections.
  server.close();
  for (const socket of silent) if (socket.bytesRead === 0 || server instanceof TlsServer) socket.destroy();
  await closed;
}
