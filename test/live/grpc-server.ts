/**
 * One endpoint that speaks gRPC, in a process of its own: `node grpc-server.ts PORT`. Answers after 2 ms, so that calls overlap; streams
 * echo. Tells on demand how many connections it has seen begin and end.
 */
import { type AddressInfo, createServer } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { Echo, echoHandlers } from "../grpc/server/echo-service.ts";
import type { FromServer, ToServer } from "./server-process.ts";

let opened = 0;
let closed = 0;
let requests = 0;

const grpc = new Server();
grpc.addService(
  Echo,
  echoHandlers({
    Say: (call, answer) => {
      requests++;
      setTimeout(() => answer(null, call.request), 2);
    },
  }),
);
const entrance = grpc.createConnectionInjector(ServerCredentials.createInsecure());
const server = createServer((socket) => {
  opened++;
  socket.once("close", () => closed++);
  entrance.injectConnection(socket);
});

const tell = (message: FromServer) => process.send?.(message);
process.on("disconnect", () => process.exit(0));
process.on("message", ({ kind }: ToServer) => {
  if (kind === "counts") tell({ kind: "counts", opened, closed, requests });
});
server.listen(Number(process.argv[2] ?? 0), "127.0.0.1", () => {
  tell({ kind: "listening", port: (server.address() as AddressInfo).port });
});
