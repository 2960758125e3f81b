import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { Problem } from "@heddle/core";
import { type JoinedMesh, type JoinOptions, joinMesh } from "heddle";
import { onTestFinished } from "vitest";

/** A real server on loopback that ends with the test. */
export interface LoopbackServer {
  readonly address: string;
  readonly server: Server;
  /** How many requests, upgrades and CONNECTs came in. */
  readonly requests: () => number;
}

export async function serve(listener: RequestListener): Promise<LoopbackServer> {
  let requests = 0;
  const server = createServer(listener);
  const sockets = new Set<Duplex>();
  server.on("request", () => requests++);
  server.on("upgrade", () => requests++);
  server.on("connect", () => requests++);
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, server, requests: () => requests };
}

/** A server that answers what it was asked, as JSON, and switches to a protocol that sends back what it is sent. */
export async function serveEcho(): Promise<LoopbackServer> {
  const served = await serve((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      response.setHeader("content-type", "application/json");
      response.setHeader("x-endpoint", served.address);
      response.end(JSON.stringify(echoed(request, Buffer.concat(chunks).toString())));
    });
  });
  const pipe = (answer: string) => (_message: IncomingMessage, socket: Duplex) => {
    socket.on("error", () => {});
    socket.write(answer);
    socket.pipe(socket);
  };
  served.server.on("upgrade", pipe("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"));
  served.server.on("connect", pipe("HTTP/1.1 200 Connected\r\n\r\n"));
  return served;
}

export interface Echoed {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

function echoed({ method = "", url = "", headers }: IncomingMessage, body: string): Echoed {
  return { method, url, headers: headers as Record<string, string>, body };
}

export interface MeshSetup extends JoinOptions {
  /** Of the service `reviews`. */
  readonly service?: never;
  readonly reviews?: object;
  readonly services?: object;
  readonly settings?: object;
  readonly problems?: Problem[];
}

/** A joined mesh with a service `reviews` at these addresses; it closes with the test. */
export async function join(
  addresses: readonly string[],
  { reviews, services, settings, problems = [], ...options }: MeshSetup = {},
): Promise<JoinedMesh> {
  const mesh = await joinMesh({
    config: {
      apiVersion: "heddle/v1",
      mesh: settings ?? {},
      services: { reviews: { endpoints: addresses.map((address) => ({ address })), ...reviews }, ...services },
    },
    onProblem: (problem) => void problems.push(problem),
    ...options,
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  return mesh;
}

export function inFlight(mesh: JoinedMesh): number {
  return mesh
    .inspect()
    .backends.flatMap(({ endpoints }) => endpoints)
    .reduce((sum, endpoint) => sum + endpoint.inFlight, 0);
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
