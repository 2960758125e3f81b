import type { IncomingMessage, ServerResponse } from "node:http";
import { joinMesh } from "../../index.ts"; // In a project of your own: from "heddle".
import { tether } from "../tether.ts";

const { HEDDLE_CONFIG = "mesh.yaml", PORT } = process.env;

/** On node:http, what browsers talk to: puts pages together from `catalog`, `reviews` and `suggestions`, asked at the same time. */
const mesh = await joinMesh({ service: "web", config: HEDDLE_CONFIG });
const catalog = mesh.service("catalog");
const reviews = mesh.service("reviews");
const suggestions = mesh.service("suggestions");
mesh.install(); // for what is built in: fetch, and WebSocket

async function page(request: IncomingMessage): Promise<unknown> {
  const user = request.headers["x-user"];
  const headers: Record<string, string> = typeof user === "string" ? { "x-user": user } : {};
  const [item, review, more] = await Promise.all([
    catalog.get("/items/7"),
    reviews.get("/reviews/7", { headers }),
    suggestions.get("/suggestions/7"),
  ]);
  if (!item.ok || !review.ok || !more.ok) throw new Error(`catalog ${item.status}, reviews ${review.status}, suggestions ${more.status}`);
  return { item: await item.json(), review: await review.json(), suggestions: await more.json() };
}

/** Asks three times how many read it now, over one WebSocket. */
function live(): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const answers: unknown[] = [];
  const socket = new WebSocket("ws://live/live");
  const ask = () => (answers.length < 3 ? socket.send("7") : socket.close(1000));
  socket.addEventListener("open", ask);
  socket.addEventListener("message", ({ data }) => {
    answers.push(JSON.parse(String(data)));
    ask();
  });
  socket.addEventListener("close", ({ code }) => {
    if (code === 1000) resolve(answers);
    else reject(new Error(`the WebSocket to live closed with ${code}`));
  });
  return promise;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.setHeader("content-type", "application/json");
  try {
    response.end(JSON.stringify(await (request.url === "/live/7" ? live() : page(request))));
  } catch (error) {
    response.writeHead(502).end(JSON.stringify({ error: String(error) }));
  }
}

await mesh.listen(answer, { port: Number(PORT), host: "127.0.0.1", health: { live: "/livez", ready: "/readyz" } });
process.once("SIGTERM", () => void mesh.close());
tether(mesh);
