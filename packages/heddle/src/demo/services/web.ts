import type { IncomingMessage, ServerResponse } from "node:http";
import { joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { tether } from "../tether.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT } = process.env;

/** On node:http, what browsers talk to: puts a page together from `catalog` and `reviews`, which it asks at the same time. */
const mesh = await joinMesh({ service: "web", config: HEDDLE_CONFIG });
const catalog = mesh.service("catalog");
const reviews = mesh.service("reviews");

async function page(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const user = request.headers["x-user"];
  const headers: Record<string, string> = typeof user === "string" ? { "x-user": user } : {};
  response.setHeader("content-type", "application/json");
  try {
    const [item, review] = await Promise.all([catalog.get("/items/7"), reviews.get("/reviews/7", { headers })]);
    if (!item.ok || !review.ok) throw new Error(`catalog answered ${item.status}, reviews ${review.status}`);
    response.end(JSON.stringify({ item: await item.json(), review: await review.json() }));
  } catch (error) {
    response.writeHead(502).end(JSON.stringify({ error: String(error) }));
  }
}

await mesh.listen(page, { port: Number(PORT), host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } });
process.once("SIGTERM", () => void mesh.close());
tether(mesh);
