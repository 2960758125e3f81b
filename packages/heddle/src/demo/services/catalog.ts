import type { IncomingMessage, ServerResponse } from "node:http";
import { context, joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { tether } from "../tether.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT, FAIL_EVERY = "0", SERVICE = "catalog" } = process.env;
const failEvery = Number(FAIL_EVERY);
let asked = 0;

/** What catalog-fastify.ts is, on node:http, for where Fastify is not installed. */
const mesh = await joinMesh({ service: SERVICE, config: HEDDLE_CONFIG });

function catalog(request: IncomingMessage, response: ServerResponse): void {
  asked++;
  if (failEvery > 0 && asked % failEvery === 0) {
    if (asked % (2 * failEvery) === 0) request.socket.destroy();
    else response.writeHead(503).end();
    return;
  }
  response.setHeader("content-type", "application/json");
  const leftMs = context()?.remainingMs();
  response.end(JSON.stringify({ title: "The Weaver's Handbook", pages: 320, servedBy: "node:http", leftMs }));
}

await mesh.listen(catalog, { port: Number(PORT), host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } });
process.once("SIGTERM", () => void mesh.close());
tether(mesh);
