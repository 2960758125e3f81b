/**
 * One endpoint, in a process of its own: `node server.ts PORT`. Answers after 2 ms, so that requests overlap, and tells on demand
 * how many connections it has seen begin and end.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { FromServer, ToServer } from "./server-process.ts";

let opened = 0;
let closed = 0;
let requests = 0;

const server = createServer((request, response) => {
  requests++;
  request.resume();
  setTimeout(() => response.end("ok"), 2);
});
server.on("connection", (socket) => {
  opened++;
  socket.once("close", () => closed++);
});
// No connection ends because it is idle: one that ends was ended by the mesh.
server.keepAliveTimeout = 600_000;
server.headersTimeout = 0;
server.requestTimeout = 0;

const tell = (message: FromServer) => process.send?.(message);
process.on("disconnect", () => process.exit(0));
process.on("message", ({ kind }: ToServer) => {
  if (kind === "counts") tell({ kind: "counts", opened, closed, requests });
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  tell({ kind: "listening", port: (server.address() as AddressInfo).port });
});
