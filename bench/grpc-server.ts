/**
 * One of the servers that speak gRPC: `node grpc-server.ts INDEX [mesh|node AUTHORITY]`. With the folder of an authority it demands mutual
 * TLS, as a mesh that authorizes too, or by grpc-js alone. Answers the same 128 bytes, and counts calls by the path that each carries as
 * metadata. `/probe/*` are for checking, outside of every measured slot, that a policy acts: server 0 answers `/probe/flaky` with
 * UNAVAILABLE and `/probe/sour` with INTERNAL, every server `/probe/broken` with INTERNAL, and none answers `/probe/hang`.
 */
import { type handleUnaryCall, Server, ServerCredentials, type ServerUnaryCall, status } from "@grpc/grpc-js";
import { context, identity, joinMesh } from "heddle";
import { CALLER, idOf, mutualGrpcDocument, SERVICE } from "./document.ts";
import { PATH_KEY, Reviews } from "./grpc-service.ts";
import { readCredentials } from "./handed-credentials.ts";
import type { ServerAnswer, ServerOrder } from "./protocol.ts";
import { ANSWER } from "./variant.ts";

const isFaulty = process.argv[2] === "0";
const [, , , servedBy, authority = ""] = process.argv;
const byPath: Record<string, { requests: number; unsampled: number; connections: number; verified: number }> = Object.create(null);
/** A connection belongs to one variant, which asks for one path until it is checked. */
const known = new Set<string>();

process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => {});

type Call = ServerUnaryCall<Buffer, Buffer>;

function count(path: string, call: Call): void {
  byPath[path] ??= { requests: 0, unsampled: 0, connections: 0, verified: 0 };
  byPath[path].requests++;
  const peer = call.getPeer();
  if (!known.has(peer)) {
    known.add(peer);
    byPath[path].connections++;
  }
  if (isVerified(call)) byPath[path].verified++;
  const [traceparent] = call.metadata.get("traceparent");
  if (typeof traceparent === "string" && traceparent.endsWith("-00")) byPath[path].unsampled++;
}

/** grpc-js knows of a caller that an authority vouches for it: it lets nobody else in. */
function isVerified(call: Call): boolean {
  if (servedBy === "mesh") return context()?.peer?.spiffeId === idOf(CALLER);
  return servedBy === "node" && call.getAuthContext().sslPeerCertificate !== undefined;
}

const answered = Buffer.from(ANSWER);
const get: handleUnaryCall<Buffer, Buffer> = (call, answer) => {
  const path = String(call.metadata.get(PATH_KEY)[0]);
  count(path, call);
  if (path === "/probe/hang") return;
  if (path === "/probe/broken" || (path === "/probe/sour" && isFaulty)) answer({ code: status.INTERNAL, details: "broken" });
  else if (path === "/probe/flaky" && isFaulty) answer({ code: status.UNAVAILABLE, details: "flaky" });
  else answer(null, answered);
};

function tell(message: ServerAnswer): void {
  process.send?.(message);
}

process.on("message", (order: ServerOrder) => {
  if (order.kind === "counts") tell({ kind: "counts", byPath });
});

function mutualCredentials(): ServerCredentials {
  const { roots, key, certificate } = readCredentials(authority, SERVICE);
  return ServerCredentials.createSsl(Buffer.from(roots), [{ private_key: Buffer.from(key), cert_chain: Buffer.from(certificate) }], true);
}

async function listen(server: Server): Promise<number> {
  if (servedBy === "mesh") {
    const dev = identity.dev({ dir: authority });
    const mesh = await joinMesh({ service: SERVICE, config: mutualGrpcDocument([]), identity: dev, onProblem() {} });
    return (await mesh.listen(server, { host: "127.0.0.1", port: 0 })).port;
  }
  const credentials = servedBy === "node" ? mutualCredentials() : ServerCredentials.createInsecure();
  return new Promise((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}

const server = new Server();
server.addService(Reviews, { Get: get });
tell({ kind: "listening", address: `127.0.0.1:${await listen(server)}` });
