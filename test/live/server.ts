/**
 * One endpoint, in a process of its own: `node server.ts PORT`. Answers after 2 ms, so that requests overlap, and tells on demand
 * how many connections it has seen begin and end.
 */
import { createServer } from "node:http";
import { serve } from "./serve.ts";

const server = createServer((request, response) => {
  counts.requests++;
  request.resume();
  setTimeout(() => response.end("ok"), 2);
});
// No connection ends because it is idle: one that ends was ended by the mesh.
server.keepAliveTimeout = 600_000;
server.headersTimeout = 0;
server.requestTimeout = 0;
const counts = serve(server);
