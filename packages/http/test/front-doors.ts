import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { createMesh, type Mesh, type Problem } from "@heddle/core";
import { onTestFinished } from "vitest";
import { httpTransport } from "../src/undici-transport.ts";

/** A real server on loopback that ends with the test. */
export interface LoopbackServer {
  readonly address: string;
  readonly server: Server;
  /** How many were ever made. */
  readonly connections: () => number;
  /** Answers upgrades with a status; null: not at all. */
  refuseUpgrades(status: number | null): void;
}

export async function serve(listener: RequestListener): Promise<LoopbackServer> {
  let connections = 0;
  const server = createServer(listener);
  const sockets = new Set<Duplex>();
  server.on("connection", (socket) => {
    connections++;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    connections: () => connections,
    refuseUpgrades(status) {
      server.on("upgrade", (_message: IncomingMessage, socket: Duplex) => {
        socket.on("error", () => {});
        if (status !== null) socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      });
    },
  };
}

/** A mesh with one service `reviews` at these addresses; `more` goes into the service, `settings` under `mesh:`. */
export async function meshOf(
  addresses: readonly string[],
  more: object = {},
  settings: object = {},
  problems: Problem[] = [],
): Promise<Mesh> {
  const mesh = createMesh({
    config: {
      apiVersion: "heddle/v1",
      mesh: settings,
      services: { reviews: { endpoints: addresses.map((address) => ({ address })), ...more } },
    },
    transport: httpTransport(),
    onProblem: (problem) => void problems.push(problem),
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  await mesh.ready();
  return mesh;
}

/** Exchanges in flight to the endpoints of every service. */
export function inFlight(mesh: Mesh): number {
  return mesh
    .inspect()
    .backends.flatMap(({ endpoints }) => endpoints)
    .reduce((sum, endpoint) => sum + endpoint.inFlight, 0);
}

/** A server that takes upgrades to `echo`, and CONNECT: what it is sent comes back, until its caller ends. */
export async function servePipes(listener: RequestListener = echo): Promise<{ readonly address: string; readonly open: () => number }> {
  const sockets = new Set<Duplex>();
  const server = createServer(listener);
  const pipe = (answer: string) => (_message: IncomingMessage, socket: Duplex, head: Buffer) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.write(answer);
    socket.write(head);
    socket.pipe(socket);
  };
  server.on("upgrade", pipe("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"));
  server.on("connect", pipe("HTTP/1.1 200 Connected\r\n\r\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, open: () => sockets.size };
}

/** A listener that answers with what it was asked, as JSON. */
export const echo: RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() }),
    );
  });
};
