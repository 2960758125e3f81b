// A Koa service before a Hono service; the second has no longer than the first was given: `node examples/koa-and-hono/main.ts`
import { fileURLToPath } from "node:url";
import { context, joinMesh } from "heddle";
import { Hono } from "hono";
import Koa from "koa";

const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));

// Hono, and whatever else answers a Request with a Response, is served as it is. The signal of its requests is `req.mesh.signal`.
await using backMesh = await joinMesh({ service: "back", config });
const back = new Hono();
back.get("/stock/:item", (c) =>
  c.json({ item: c.req.param("item"), leftMs: context()?.remainingMs(), isWatched: !c.req.raw.signal.aborted }),
);
await backMesh.listen(back, { port: 19087, host: "127.0.0.1" });

// Koa makes a node:http listener of itself.
await using frontMesh = await joinMesh({ service: "front", config });
const front = new Koa();
front.use(async (ctx) => {
  ctx.body = await frontMesh.service("back").get(`/stock${ctx.path}`).json();
});
await frontMesh.listen(front.callback(), { port: 19086, host: "127.0.0.1" });

await using mesh = await joinMesh({ config });
const stock = await mesh.service("front").get("/loom").json<{ item: string; leftMs: number }>();
console.log(`${stock.item}: Hono had ${stock.leftMs <= 2_000 ? "at most the 2 s of Koa's caller" : "too long"}`);
