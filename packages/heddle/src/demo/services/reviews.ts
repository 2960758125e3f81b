import type { IncomingMessage, ServerResponse } from "node:http";
import { joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { starsOf } from "../stars.ts";
import { tether } from "../tether.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT, VERSION = "v1", RATINGS_PROTOCOL = "http" } = process.env;

/** What reviews-express.ts is, on node:http, for where Express is not installed. */
const mesh = await joinMesh({ service: "reviews", config: HEDDLE_CONFIG });
const ratings = await starsOf(mesh, RATINGS_PROTOCOL);

async function reviews(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader("content-type", "application/json");
  try {
    const product = (request.url ?? "").split("/").at(-1) ?? "";
    const stars = await ratings(product);
    response.end(JSON.stringify({ version: VERSION, pid: process.pid, text: "Could not put it down.", stars }));
  } catch (error) {
    response.writeHead(502).end(JSON.stringify({ error: String(error) }));
  }
}

await mesh.listen(reviews, { port: Number(PORT), host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } });
process.once("SIGTERM", () => void mesh.close());
tether(mesh);
