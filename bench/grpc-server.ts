/**
 * One of the servers that speak gRPC: `node grpc-server.ts INDEX`. Answers the same 128 bytes, and counts calls by the path that each
 * carries as metadata. `/probe/*` are for checking, outside of every measured slot, that a policy acts: server 0 answers `/probe/flaky`
 * with UNAVAILABLE, every server `/probe/broken` with INTERNAL, and none answers `/probe/hang`.
 */
import { type handleUnaryCall, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { PATH_KEY, Reviews } from "./grpc-service.ts";
import type { ServerAnswer, ServerOrder } from "./protocol.ts";
import { ANSWER } from "./variant.ts";

const isFaulty = process.argv[2] === "0";
const byPath: Record<string, { requests: number; unsampled: number; connections: number; verified: number }> = Object.create(null);
/** A connection belongs to one variant, which asks for one path until it is checked. */
const known = new Set<string>();

process.on("disconnect", () => process.exit(0));
process.on("SIGINT", () => {});

function count(path: string, peer: string, traceparent: unknown): void {
  byPath[path] ??= { requests: 0, unsampled: 0, connections: 0, verified: 0 };
  byPath[path].requests++;
  if (!known.has(peer)) {
    known.add(peer);
    byPath[path].connections++;
  }
  if (typeof traceparent === "string" && traceparent.endsWith("-00")) byPath[path].unsampled++;
}

const answered = Buffer.from(ANSWER);
const get: handleUnaryCall<Buffer, Buffer> = (call, answer) => {
  const path = String(call.metadata.get(PATH_KEY)[0]);
  count(path, call.getPeer(), call.metadata.get("traceparent")[0]);
  if (path === "/probe/hang") return;
  if (path === "/probe/broken") answer({ code: status.INTERNAL, details: "broken" });
  else if (path === "/probe/flaky" && isFaulty) answer({ code: status.UNAVAILABLE, details: "flaky" });
  else answer(null, answered);
};

function tell(message: ServerAnswer): void {
  process.send?.(message);
}

process.on("message", (order: ServerOrder) => {
  if (order.kind === "counts") tell({ kind: "counts", byPath });
});
const server = new Server();
server.addService(Reviews, { Get: get });
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  tell({ kind: "listening", address: `127.0.0.1:${port}` });
});
