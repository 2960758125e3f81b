// An Express service that calls another one no later than its own caller waits: `node examples/express-service/main.ts`
import { fileURLToPath } from "node:url";
import express from "express";
import { joinMesh } from "heddle";

const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));

await using pricesMesh = await joinMesh({ service: "prices", config });
const prices = express();
prices.get("/prices/:item", (request, response) => {
  // What came with the request: five seconds are what the document gives, two what the caller of the shop has.
  response.json({ item: request.params.item, price: 12, waitedForAtMostMs: Number(request.headers["x-envoy-expected-rq-timeout-ms"]) });
});
await pricesMesh.listen(prices, { port: 19084, host: "127.0.0.1" });

await using shopMesh = await joinMesh({ service: "shop", config });
const shop = express();
shop.get("/items/:item", async (request, response) => {
  const price = await shopMesh.service("prices").get(`/prices/${request.params.item}`).json<{ price: number; waitedForAtMostMs: number }>();
  response.json({ inStock: true, ...price });
});
await shopMesh.listen(shop, { port: 19083, host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } });

await using mesh = await joinMesh({ config });
const item = await mesh.service("shop").get("/items/loom").json<{ price: number; waitedForAtMostMs: number }>();
console.log(`a loom costs ${item.price}; prices had ${item.waitedForAtMostMs <= 2_000 ? "at most the 2 s of the caller" : "too long"}`);
