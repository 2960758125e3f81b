import type { IncomingMessage, ServerResponse } from "node:http";
import { joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { tether } from "../tether.ts";
import { acceptWebSocket } from "../web-socket.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT } = process.env;

/** On node:http: how many read a product now, over a WebSocket. */
const mesh = await joinMesh({ service: "live", config: HEDDLE_CONFIG });

function webSocketsOnly(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(426, { upgrade: "websocket", connection: "upgrade" }).end();
}

const { server } = await mesh.listen(webSocketsOnly, {
  port: Number(PORT),
  host: "127.0.0.1",
  health: { live: "/livez", ready: "/readyz" },
});
server.on("upgrade", (request, socket) => {
  acceptWebSocket(request, socket, (product) => JSON.stringify({ product, readers: 12, pid: process.pid }));
});
process.once("SIGTERM", () => void mesh.close());
tether(mesh);
