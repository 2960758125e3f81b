import type { IncomingMessage, ServerResponse } from "node:http";
import { joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { tether } from "../tether.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT } = process.env;

/** What ratings-grpc.ts is, on node:http, for where gRPC is not installed. */
const mesh = await joinMesh({ service: "ratings", config: HEDDLE_CONFIG });

function ratings(_request: IncomingMessage, response: ServerResponse): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ stars: [5, 4] }));
}

await mesh.listen(ratings, { port: Number(PORT), host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } });
// For so long its callers are told, and served, before it listens no more.
mesh.closeOn(["SIGTERM"], { drain: "300ms" });
tether(mesh);
