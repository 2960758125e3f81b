import { once } from "node:events";
import http from "node:http";
import express from "express";
import fastify from "fastify";
import { context, type JoinedMesh, joinMesh } from "heddle";
import { expect, onTestFinished, test } from "vitest";
import { inFlight, serve } from "../../front-doors/setup.ts";

type Ask = (signal: AbortSignal | undefined) => Promise<string>;
type Listening = (mesh: JoinedMesh, ask: Ask) => Promise<{ readonly url: string }>;

const OPTIONS = { host: "127.0.0.1" };

/** Servers whose handler makes a call, and hands it the signal of the request that it serves. */
const SERVERS: Record<string, Listening> = {
  "node:http": (mesh, ask) =>
    mesh.listen((_request, response) => void ask(context()?.signal).then((answer) => response.end(answer)), OPTIONS),
  express: (mesh, ask) => {
    const app = express();
    app.get("/", async (request, response) => void response.send(await ask(request.mesh.signal)));
    return mesh.listen(app, OPTIONS);
  },
  fastify: async (mesh, ask) => {
    const app = fastify();
    await app.register(mesh.fastify());
    app.get("/", (request) => ask(request.mesh?.signal));
    return mesh.listen(app, OPTIONS);
  },
  "a fetch handler": (mesh, ask) => mesh.listen({ fetch: async (request: Request) => new Response(await ask(request.signal)) }, OPTIONS),
};

const soon = (check: () => unknown) => expect.poll(check, { timeout: 5_000, interval: 5 });

test.each(Object.keys(SERVERS))(
  "a client that leaves ends the call made for it in %s, and nothing is held against the endpoint",
  async (kind) => {
    let upstreamLeft = 0;
    const upstream = await serve((_request, response) => void response.on("close", () => upstreamLeft++));
    const mesh = await joinMesh({
      service: "web",
      config: {
        apiVersion: "heddle/v1",
        services: { web: {}, reviews: { endpoints: [{ address: upstream.address }], retry: {}, outlier: { consecutiveFailures: 1 } } },
      },
    });
    onTestFinished(() => mesh.close({ limit: 0 }));
    const reasons: unknown[] = [];
    const signals: AbortSignal[] = [];
    const { url } = await (SERVERS[kind] as Listening)(mesh, async (signal) => {
      if (signal) signals.push(signal);
      try {
        const reply = await mesh.request("http://reviews/", signal ? { signal } : {});
        return await reply.text();
      } catch (error) {
        reasons.push(error);
        return "gave up";
      }
    });

    const clients = Array.from({ length: 5 }, () => http.get(url, { agent: false }).on("error", () => {}));
    await soon(upstream.requests).toBe(5);
    expect(mesh.inspect().inbound.inFlight).toBe(5);
    for (const client of clients) client.destroy();
    await soon(() => upstreamLeft).toBe(5);
    await soon(() => reasons.length).toBe(5);
    expect(new Set(reasons)).toEqual(new Set(signals.map(({ reason }) => reason as unknown)));
    await soon(() => inFlight(mesh)).toBe(0);
    await soon(() => mesh.inspect().inbound.inFlight).toBe(0);
    expect(upstream.requests()).toBe(5);
    const [backend] = mesh.inspect().backends.filter(({ name }) => name === "reviews");
    expect(backend?.endpoints).toMatchObject([{ state: "ready", failures: 0 }]);
    expect(backend?.retryBudget.available).toBeGreaterThanOrEqual(10);
  },
);

test("a client that leaves in the middle of the answer ends what the handler was passing on", async () => {
  let upstreamLeft = 0;
  const upstream = await serve((_request, response) => {
    response.write("part");
    response.on("close", () => upstreamLeft++);
  });
  const mesh = await joinMesh({
    service: "web",
    config: { apiVersion: "heddle/v1", services: { web: {}, reviews: { endpoints: [{ address: upstream.address }] } } },
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  const handler = {
    fetch: async (request: Request) => new Response((await mesh.request("http://reviews/", { signal: request.signal })).stream()),
  };
  const { url } = await mesh.listen(handler, OPTIONS);
  const client = http.get(url, { agent: false });
  client.on("error", () => {});
  const [response] = (await once(client, "response")) as [http.IncomingMessage];
  response.on("error", () => {});
  const [chunk] = (await once(response, "data")) as [Buffer];
  expect(chunk.toString()).toBe("part");
  response.destroy();
  await soon(() => upstreamLeft).toBe(1);
  await soon(() => inFlight(mesh)).toBe(0);
  await soon(() => mesh.inspect().inbound.inFlight).toBe(0);
});
