/**
 * Endpoints in a process of their own, so that what a scenario has open is the mesh's: `node upstream.ts COUNT`. Every port answers at
 * once with `ok`; `/fail` answers 503, `/hang` never, an upgrade or a CONNECT gets its bytes back.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";

function answering(): Server {
  const server = createServer((request, response) => {
    request.resume();
    if (request.url === "/hang") return;
    response.writeHead(request.url === "/fail" ? 503 : 200).end("ok");
  });
  const switched = (answer: string) => (_request: IncomingMessage, socket: Duplex) => {
    socket.on("error", () => {});
    socket.write(answer);
    socket.pipe(socket);
  };
  server.on("upgrade", switched("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n"));
  server.on("connect", switched("HTTP/1.1 200 Connected\r\n\r\n"));
  server.headersTimeout = 0;
  server.requestTimeout = 0;
  return server;
}

process.on("disconnect", () => process.exit(0));
const servers = Array.from({ length: Number(process.argv[2] ?? 1) }, answering);
await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))));
process.send?.(servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`));
