import express from "express";
import { joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { starsOf } from "../stars.ts";
import { tether } from "../tether.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT, VERSION = "v1", RATINGS_PROTOCOL = "http" } = process.env;

/** On Express: what readers think of a product, with the stars that `ratings` knows. */
const mesh = await joinMesh({ service: "reviews", config: HEDDLE_CONFIG });
const ratings = await starsOf(mesh, RATINGS_PROTOCOL);
const app = express();

app.get("/reviews/:product", async (request, response) => {
  try {
    const stars = await ratings(request.params.product);
    response.json({ version: VERSION, pid: process.pid, text: "Could not put it down.", stars });
  } catch (error) {
    response.status(502).json({ error: String(error) });
  }
});

await mesh.listen(app, { port: Number(PORT), host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } });
process.once("SIGTERM", () => void mesh.close());
tether(mesh);
