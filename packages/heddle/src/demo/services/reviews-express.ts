import express from "express";
import { joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { tether } from "../tether.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT, VERSION = "v1" } = process.env;

/** On Express: what readers think of a product, with the stars that `ratings` knows. */
const mesh = await joinMesh({ service: "reviews", config: HEDDLE_CONFIG });
const ratings = mesh.service("ratings");
const app = express();

app.get("/reviews/:product", async (request, response) => {
  const rating = await ratings.get(`/ratings/${request.params.product}`);
  if (!rating.ok) {
    response.status(502).json({ error: `ratings answered ${rating.status}` });
    return;
  }
  const { stars } = await rating.json<{ stars: number[] }>();
  response.json({ version: VERSION, pid: process.pid, text: "Could not put it down.", stars });
});

await mesh.listen(app, { port: Number(PORT), host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } });
process.once("SIGTERM", () => void mesh.close());
tether(mesh);
