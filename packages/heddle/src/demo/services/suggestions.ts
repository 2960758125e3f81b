import type { IncomingMessage, ServerResponse } from "node:http";
import { joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { tether } from "../tether.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT } = process.env;

/** On node:http: what else one might like. Pages are whole without it. */
const mesh = await joinMesh({ service: "suggestions", config: HEDDLE_CONFIG });

function suggestions(_request: IncomingMessage, response: ServerResponse): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(["Threads and Looms", "On Warp and Weft"]));
}

await mesh.listen(suggestions, { port: Number(PORT), host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } });
process.once("SIGTERM", () => void mesh.close());
tether(mesh);
