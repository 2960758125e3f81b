import { once } from "node:events";
import http from "node:http";
import axios from "axios";
import got from "got";
import ky from "ky";
import createClient from "openapi-fetch";
import { WebSocket as UndiciWebSocket } from "undici";
import { expect, onTestFinished, test } from "vitest";
import WsWebSocket, { WebSocketServer } from "ws";
import { type Echoed, inFlight, join, type LoopbackServer, serve, serveEcho } from "./setup.ts";

// The packages that applications have, as they are used: each must reach the service, and fail as the mesh says.

async function twoEndpoints() {
  const servers = [await serveEcho(), await serveEcho()];
  const mesh = await join(
    servers.map(({ address }) => address),
    { reviews: { balancer: { policy: "round-robin" } } },
  );
  return { mesh, spread: () => servers.map(({ requests }) => requests()) };
}

test("axios' default adapter, over the agent", async () => {
  const { mesh, spread } = await twoEndpoints();
  const client = axios.create({ httpAgent: mesh.agent() });
  for (let call = 0; call < 4; call++) {
    const { status, data } = await client.post<Echoed>("http://reviews/api/7", { a: 1 });
    expect(status).toBe(200);
    expect(data).toMatchObject({ method: "POST", url: "/api/7", body: '{"a":1}', headers: { host: "reviews" } });
  }
  expect(spread()).toEqual([2, 2]);
  expect(inFlight(mesh)).toBe(0);
});

test("axios' default adapter is told what the mesh refuses", async () => {
  const mesh = await join([], { reviews: { endpoints: [] } });
  const error = await axios.get("http://reviews/", { httpAgent: mesh.agent() }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "no_endpoint" });
});

test("axios' fetch adapter, with the mesh's fetch and with the installed one", async () => {
  const { mesh } = await twoEndpoints();
  const given = axios.create({ adapter: "fetch", env: { fetch: mesh.fetch as typeof fetch } });
  expect((await given.post<Echoed>("http://reviews/api/7", { a: 1 })).data).toMatchObject({ method: "POST", body: '{"a":1}' });
  using _ = mesh.install();
  expect((await axios.get<Echoed>("http://reviews/api/7", { adapter: "fetch" })).data).toMatchObject({ url: "/api/7" });
});

test("got, over the agent", async () => {
  const { mesh, spread } = await twoEndpoints();
  const client = got.extend({ agent: { http: mesh.agent() }, retry: { limit: 0 } });
  for (let call = 0; call < 4; call++) {
    const received = await client.post("http://reviews/api/7", { json: { a: 1 } }).json<Echoed>();
    expect(received).toMatchObject({ method: "POST", url: "/api/7", body: '{"a":1}', headers: { host: "reviews" } });
  }
  expect(spread()).toEqual([2, 2]);
  await expect.poll(() => inFlight(mesh)).toBe(0);
});

test("ky and openapi-fetch, over a service's fetch", async () => {
  const { mesh } = await twoEndpoints();
  const reviews = mesh.service("reviews");
  const viaKy = await ky.post("http://reviews/api/7", { fetch: mesh.fetch as typeof fetch, json: { a: 1 } }).json<Echoed>();
  expect(viaKy).toMatchObject({ method: "POST", url: "/api/7", body: '{"a":1}' });
  interface Paths {
    "/api/{id}": { get: { parameters: { path: { id: number } }; responses: { 200: { content: { "application/json": Echoed } } } } };
  }
  const client = createClient<Paths>({ baseUrl: "http://reviews", fetch: reviews.fetch as (request: Request) => Promise<Response> });
  const { data } = await client.GET("/api/{id}", { params: { path: { id: 7 } } });
  expect(data).toMatchObject({ method: "GET", url: "/api/7" });
});

test("everything that uses node:http or the built-in fetch, once the mesh is installed", async () => {
  const { mesh } = await twoEndpoints();
  const globalAgent = http.globalAgent;
  {
    using _ = mesh.install();
    expect(await (await fetch("http://reviews/a")).json()).toMatchObject({ url: "/a" });
    expect((await axios.get<Echoed>("http://reviews/b")).data).toMatchObject({ url: "/b" });
    expect(await got("http://reviews/c", { retry: { limit: 0 } }).json()).toMatchObject({ url: "/c" });
    expect(await ky("http://reviews/d").json()).toMatchObject({ url: "/d" });
    const other = await serve((_request, response) => response.end("direct"));
    expect(await got(`http://${other.address}/`).text()).toBe("direct");
    expect(await (await fetch(`http://${other.address}/`)).text()).toBe("direct");
  }
  expect(http.globalAgent).toBe(globalAgent);
});

async function chat(): Promise<LoopbackServer> {
  const served = await serve((_request, response) => response.end());
  const sockets = new WebSocketServer({ server: served.server });
  sockets.on("connection", (socket, message) => {
    socket.send(`${message.headers.host}${message.url}`);
    socket.on("message", (data) => socket.send(`echo ${data}`));
  });
  onTestFinished(() => sockets.close());
  return served;
}

test("the ws package, over the agent", async () => {
  const mesh = await join([(await chat()).address]);
  const client = new WsWebSocket("ws://reviews/room", { agent: mesh.agent() });
  const heard: string[] = [];
  client.on("message", (data) => heard.push(String(data)));
  await once(client, "open");
  client.send("hi");
  await expect.poll(() => heard).toEqual(["reviews/room", "echo hi"]);
  expect(inFlight(mesh)).toBe(1);
  client.close();
  await expect.poll(() => inFlight(mesh)).toBe(0);
});

test.each([
  ["undici's WebSocket, over the dispatcher", UndiciWebSocket as unknown as typeof WebSocket, false],
  ["the built-in WebSocket, once the mesh is installed", WebSocket, true],
])("%s", async (_name, Socket, isInstalled) => {
  const mesh = await join([(await chat()).address]);
  using _ = isInstalled ? mesh.install() : null;
  const client = new Socket("ws://reviews/room", isInstalled ? [] : ({ dispatcher: mesh.dispatcher } as never));
  const heard: string[] = [];
  client.addEventListener("message", ({ data }) => heard.push(String(data)));
  await new Promise((resolve, reject) => {
    client.addEventListener("open", resolve);
    client.addEventListener("error", reject);
  });
  client.send("hi");
  await expect.poll(() => heard).toEqual(["reviews/room", "echo hi"]);
  client.close();
  await expect.poll(() => inFlight(mesh)).toBe(0);
});
