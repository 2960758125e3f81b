/**
 * One endpoint that speaks gRPC, in a process of its own: `node grpc-server.ts PORT`. Answers after 2 ms, so that calls overlap; streams
 * echo. Tells on demand how many connections it has seen begin and end.
 */
import { createServer } from "node:net";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { Echo, echoHandlers } from "../grpc/server/echo-service.ts";
import { serve } from "./serve.ts";

const grpc = new Server();
grpc.addService(
  Echo,
  echoHandlers({
    Say: (call, answer) => {
      counts.requests++;
      setTimeout(() => answer(null, call.request), 2);
    },
  }),
);
const entrance = grpc.createConnectionInjector(ServerCredentials.createInsecure());
const counts = serve(createServer((socket) => entrance.injectConnection(socket)));
