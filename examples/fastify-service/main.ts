// A Fastify service, with a layer of its own before everything that comes in: `node examples/fastify-service/main.ts`
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import fastify from "fastify";
import { joinMesh, localResponse, type UserLayer } from "heddle";

const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));

// Refuses whoever shows no key: requests, WebSockets and tunnels, before Fastify sees them.
const requireKey: UserLayer = {
  at: "inbound",
  layer: (next) => async (request) => (request.headers["x-key"] === "secret" ? next(request) : localResponse(401, null)),
};

await using ordersMesh = await joinMesh({ service: "orders", config, layers: [requireKey] });
const orders = fastify();
await orders.register(ordersMesh.fastify());
orders.get<{ Params: { id: string } }>("/orders/:id", async (request) => ({
  id: request.params.id,
  route: request.mesh.route,
  leftMs: request.mesh.remainingMs(),
}));
// Where @fastify/websocket would listen.
orders.server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
orders.addHook("onClose", async () => console.log("orders: closed"));
await ordersMesh.listen(orders, { port: 19085, host: "127.0.0.1" });
// With orders.listen() instead of mesh.listen(): fastify({ serverFactory: ordersMesh.serverFactory() }).
ordersMesh.closeOn(["SIGTERM", "SIGINT"], { drain: "5s" });

await using mesh = await joinMesh({ config });
const client = mesh.service("orders");
const order = await client.get("/orders/7", { headers: { "x-key": "secret" } }).json<{ route: string; leftMs: number }>();
console.log(`${order.route} had ${order.leftMs <= 2_000 ? "at most the 2 s of the document" : "too long"}`);
console.log(`without a key: ${(await client.get("/orders/7")).status}`);

const socket = connect(19085, "127.0.0.1");
socket.write("GET /live HTTP/1.1\r\nhost: orders\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n");
console.log(`a WebSocket without a key: ${(await text(socket)).split("\r\n", 1)[0]}`);
