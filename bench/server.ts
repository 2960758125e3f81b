/**
 * One of the servers: `node server.ts INDEX [mesh|node AUTHORITY]`. With the folder of an authority it demands mutual TLS, as a mesh that
 * authorizes too, or by node:https alone. Answers the same 128 bytes and counts requests by path.
 * `/probe/*` is for checking, outside of every measured slot, that a policy acts: server 0 answers `/probe/flaky` with 503, every server
 * `/probe/broken` with 500, and none answers `/probe/hang`.
 */
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { context, identity, joinMesh } from "heddle";
import { CALLER, idOf, mutualDocument, SERVICE } from "./document.ts";
import { readCredentials } from "./handed-credentials.ts";
import type { ServerAnswer, ServerOrder } from "./protocol.ts";
import { ANSWER } from "./variant.ts";

const isFaulty = process.argv[2] === "0";
const [, , , servedBy, authority = ""] = process.argv;
const byPath: Record<string, { requests: number; unsampled: number; connections: number; verified: number }> = Object.create(null);

process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => {});

/** A connection belongs to one variant, which asks for one path until it is checked. */
const known = new WeakSet<Socket>();

function count(path: string, socket: Socket, traceparent: string | string[] | undefined): void {
  byPath[path] ??= { requests: 0, unsampled: 0, connections: 0, verified: 0 };
  byPath[path].requests++;
  if (!known.has(socket)) {
    known.add(socket);
    byPath[path].connections++;
  }
  if (isVerified(socket)) byPath[path].verified++;
  if (typeof traceparent === "string" && traceparent.endsWith("-00")) byPath[path].unsampled++;
}

/** node:https knows of a caller that an authority vouches for it, and not who it is. */
function isVerified(socket: Socket): boolean {
  if (servedBy === "mesh") return context()?.peer?.spiffeId === idOf(CALLER);
  return socket instanceof TLSSocket && socket.authorized;
}

function respond(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-type": "application/json", "content-length": ANSWER.length });
  response.end(ANSWER);
}

const serve: RequestListener = (request, response) => {
  const path = request.url ?? "";
  count(path, request.socket, request.headers.traceparent);
  if (path === "/probe/hang") return;
  respond(response, path === "/probe/broken" ? 500 : path === "/probe/flaky" && isFaulty ? 503 : 200);
};

function createMutualServer(): ReturnType<typeof createTlsServer> {
  const { certificate, key, roots } = readCredentials(authority, SERVICE);
  return createTlsServer({ cert: certificate, key, ca: roots, requestCert: true, rejectUnauthorized: true }, serve);
}

const server = servedBy === "node" ? createMutualServer() : createServer(serve);
// Slots of one variant lie seconds apart: its connections must outlive the gaps, or rounds would measure reconnecting.
server.keepAliveTimeout = 120_000;
server.headersTimeout = 0;
server.requestTimeout = 0;

function answer(message: ServerAnswer): void {
  process.send?.(message);
}

process.on("message", (order: ServerOrder) => {
  if (order.kind === "counts") answer({ kind: "counts", byPath });
});
if (servedBy === "mesh") {
  const dev = identity.dev({ dir: authority });
  const mesh = await joinMesh({ service: SERVICE, config: mutualDocument([]), identity: dev, onProblem() {} });
  mesh.attach(server);
}
server.listen(0, "127.0.0.1", () => {
  answer({ kind: "listening", address: `127.0.0.1:${(server.address() as AddressInfo).port}` });
});
