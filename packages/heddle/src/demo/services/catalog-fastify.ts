import fastify from "fastify";
import { joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { tether } from "../tether.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT, FAIL_EVERY = "0", SERVICE = "catalog" } = process.env;
const failEvery = Number(FAIL_EVERY);
let asked = 0;

/** On Fastify: what a product is. With FAIL_EVERY=5, every fifth answer is a 503 and a broken connection in turn. */
const mesh = await joinMesh({ service: SERVICE, config: HEDDLE_CONFIG });
const app = fastify();
await app.register(mesh.fastify());

app.addHook("onRequest", async (request, reply) => {
  asked++;
  if (failEvery === 0 || asked % failEvery !== 0) return;
  if (asked % (2 * failEvery) === 0) request.raw.socket.destroy();
  else await reply.code(503).send();
});
app.get("/items/:id", async (request) => ({
  title: "The Weaver's Handbook",
  pages: 320,
  servedBy: "Fastify",
  leftMs: request.mesh.remainingMs(),
}));

await mesh.listen(app, { port: Number(PORT), host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } });
process.once("SIGTERM", () => void mesh.close());
tether(mesh);
