import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Layer, MeshError } from "@heddle/core";
import { attach } from "@heddle/http";
import { afterEach, expect, test } from "vitest";
import { get, rawClient } from "./raw-client.ts";
import { servingMesh, type TestServingMesh } from "./serving-mesh.ts";

const open: Server[] = [];

afterEach(async () => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(
  mesh: TestServingMesh,
  application: RequestListener = (_request, response) => void response.end("ok"),
): Promise<Server> {
  const server = createServer(application);
  open.push(server);
  attach(mesh, server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const ask = (server: Server): Promise<Response> => fetch(`http://127.0.0.1:${portOf(server)}`);

test("a layer that rejects with a MeshError refuses with its status and code", async () => {
  const refuse: Layer = () => async () => {
    throw new MeshError("overloaded", "too much");
  };
  const mesh = servingMesh({ layers: [refuse] });
  const reply = await ask(await serve(mesh));
  expect([reply.status, reply.headers.get("x-heddle-error")]).toEqual([503, "overloaded"]);
  expect(mesh.problems).toEqual([]);
});

test.each<[string, Layer]>([
  [
    "throws",
    () => () => {
      throw new Error("broken");
    },
  ],
  ["rejects", () => () => Promise.reject(new Error("broken"))],
])("a layer that %s gives 500, ends the exchange and is reported, for requests and upgrades", async (_how, layer) => {
  const mesh = servingMesh({ layers: [layer] });
  const server = await serve(mesh);
  server.on("upgrade", () => {});
  expect((await ask(server)).status).toBe(500);
  const client = await rawClient(portOf(server));
  client.write(get("/", ["connection: upgrade", "upgrade: echo"]));
  expect(await client.ended()).toBe("");
  expect(mesh.inFlight.count).toBe(0);
  expect(mesh.problems[0]).toMatchObject({ where: "inbound layers", message: expect.stringMatching(/a layer failed: broken$/) });
  expect(mesh.problems).toHaveLength(2);
});

test("a layer sees the answer of the application: status, headers however they were written, and its end", async () => {
  const seen: unknown[] = [];
  const watching: Layer = (next) => async (request) => {
    const reply = await next(request);
    seen.push([reply.status, reply.headers["x-set"], reply.headers["x-written"]]);
    reply.body.whenEnd((error) => seen.push(error));
    return reply;
  };
  const mesh = servingMesh({ layers: [watching] });
  const server = await serve(mesh, (_request, response) => {
    response.setHeader("x-set", "1");
    response.writeHead(201, { "X-Written": "2" }).end("ok");
  });
  await (await ask(server)).text();
  await expect.poll(() => seen).toEqual([[201, "1", "2"], null]);
});
