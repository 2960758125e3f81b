import { createServer } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { TransportFailure } from "@heddle/core";
import express from "express";
import { expect, test } from "vitest";
import { channelSettingsOf, requestOf } from "./builders.ts";
import { transportContract } from "./contract-transport.ts";
import { fakeTransportHarness } from "./fake-harness.ts";
import { fakeTransport } from "./fake-transport.ts";
import { bodyText } from "./read-body.ts";
import { testMesh } from "./test-mesh.ts";
import { virtualClock } from "./virtual-clock.ts";

transportContract({ name: "the fake transport", test, open: fakeTransportHarness });

const ADDRESS = "127.0.0.1:9081";

function setup() {
  const clock = virtualClock();
  const transport = fakeTransport({ clock });
  const endpoint = transport.endpoint(ADDRESS);
  const channel = transport.open(channelSettingsOf({ address: ADDRESS }));
  const get = async (path = "/") => {
    const { status, headers, body } = await channel.send(requestOf({ path }));
    return { status, headers, text: await bodyText(body) };
  };
  return { clock, transport, endpoint, channel, get };
}

test("an endpoint without a script answers 200 {}", async () => {
  const { get } = setup();
  const answer = await get();
  expect(answer).toMatchObject({ status: 200, text: "{}" });
  expect(answer.headers["content-type"]).toBe("application/json");
});

test("times limits a behaviour, and the next one follows it", async () => {
  const { endpoint, get } = setup();
  endpoint.respond({ status: 503 }).times(2).respond({ status: 201 }).times(1);
  const statuses: number[] = [];
  for (let round = 0; round < 4; round++) statuses.push((await get()).status);
  expect(statuses).toEqual([503, 503, 201, 200]);
});

test("a behaviour replaces an unlimited one", async () => {
  const { endpoint, get } = setup();
  endpoint.respond({ status: 500 });
  endpoint.respond({ status: 202 });
  expect((await get()).status).toBe(202);
  endpoint.restore();
  expect((await get()).status).toBe(200);
});

test("times without a behaviour, and of less than one, is the caller's mistake", () => {
  const { endpoint } = setup();
  expect(() => endpoint.times(1)).toThrow(TypeError);
  expect(() => endpoint.respond({}).times(0)).toThrow(TypeError);
});

test("a function answers from the request, also asynchronously; what it throws becomes a 500", async () => {
  const { endpoint, get } = setup();
  endpoint.respond(async (request) => {
    await nextTurn();
    return { json: { path: request.path } };
  });
  expect((await get("/a")).text).toBe('{"path":"/a"}');
  endpoint.respond(() => {
    throw new Error("a bug in the handler");
  });
  const answer = await get();
  expect(answer.status).toBe(500);
  expect(answer.text).toContain("a bug in the handler");
});

test("latency and delay pass in virtual time before the head", async () => {
  const { clock, endpoint, channel } = setup();
  endpoint.latency("200ms").respond({ delay: "50ms" });
  let at = -1;
  void channel.send(requestOf()).then(() => {
    at = clock.now();
  });
  await clock.advance("249ms");
  expect(at).toBe(-1);
  await clock.advance("1ms");
  expect(at).toBe(250);
  expect(clock.pendingTimers).toBe(0);
});

test("a range of latency is drawn from the given randomness", async () => {
  const clock = virtualClock();
  const transport = fakeTransport({ clock, random: () => 0.25 });
  transport.endpoint(ADDRESS).latency({ min: "100ms", max: "300ms" });
  let at = -1;
  void transport
    .open(channelSettingsOf())
    .send(requestOf())
    .then(() => {
      at = clock.now();
    });
  await clock.advance("1s");
  expect(at).toBe(150);
});

test("a connection nobody answers fails after the connect timeout, and nothing was sent", async () => {
  const { clock, transport, endpoint } = setup();
  endpoint.hang({ at: "connect" });
  const request = requestOf();
  const failure = transport
    .open(channelSettingsOf({ connectTimeoutMs: 2_000 }))
    .send(request)
    .catch((error: unknown) => ({ error, at: clock.now() }));
  await clock.advance("5s");
  expect(await failure).toMatchObject({ at: 2_000, error: { kind: "connect-failure" } });
  expect(request.attempt?.wasSent).toBe(false);
});

test("refusing closes the connections that idle, as a process that ended does", async () => {
  const { endpoint, channel, get } = setup();
  await get();
  expect(channel.connections()).toBe(1);
  endpoint.refuse().times(1);
  await expect(get()).rejects.toThrow(TransportFailure);
  expect(channel.connections()).toBe(0);
  await get();
  expect(endpoint.connections).toEqual({ opened: 2, closed: 1 });
});

test("a refused stream says so", async () => {
  const { endpoint, get } = setup();
  endpoint.refuseStream();
  await expect(get()).rejects.toMatchObject({ kind: "refused-stream" });
});

test("concurrent exchanges share one connection where the protocol is not HTTP/1, and a cancelled one does not close it", async () => {
  const { clock, transport, endpoint } = setup();
  const channel = transport.open(channelSettingsOf({ protocol: "http2" }));
  endpoint.latency("10ms");
  const requests = [requestOf(), requestOf(), requestOf()];
  const all = Promise.allSettled(requests.map((request) => channel.send(request)));
  await clock.advance("5ms");
  requests[0]?.cancel.cancel(new Error("enough"));
  await clock.advance("5ms");
  expect((await all).map((result) => result.status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
  expect(endpoint.connections).toEqual({ opened: 1, closed: 0 });
});

test("runs an Express application without a socket", async () => {
  const { clock, endpoint, channel } = setup();
  const app = express();
  app.use(express.json());
  app.post("/reviews/:id", (request, response) => {
    response.status(201).json({ id: request.params.id, host: request.headers.host, body: request.body as unknown });
  });
  endpoint.respond(app);
  const headers = { "content-type": "application/json" };
  const sent = channel.send(requestOf({ method: "POST", path: "/reviews/7", headers, body: '{"stars":5}' }));
  await clock.settle();
  const { status, body, headers: received } = await sent;
  expect(status).toBe(201);
  expect(JSON.parse(await bodyText(body))).toEqual({ id: "7", host: "reviews", body: { stars: 5 } });
  expect(received.date).toBe(new Date(clock.wallTime()).toUTCString());
});

test("runs a node:http listener: streams, trailers, and a response it destroys", async () => {
  const { endpoint, channel, get } = setup();
  endpoint.app((request, response) => {
    if (request.url === "/broken") {
      response.destroy();
      return;
    }
    response.setHeader("x-kind", "listener");
    response.write("first ");
    setImmediate(() => {
      response.addTrailers({ "x-checksum": "7" });
      response.end("second");
    });
  });
  const { headers, body } = await channel.send(requestOf());
  expect(await bodyText(body)).toBe("first second");
  expect(headers["x-kind"]).toBe("listener");
  expect(body.trailers?.["x-checksum"]).toBe("7");
  await expect(get("/broken")).rejects.toMatchObject({ kind: "reset" });
});

test("runs what a server's request event has, and what has a routing function as Fastify does", async () => {
  const { endpoint, get } = setup();
  const server = createServer((_, response) => response.end("a server's listener"));
  endpoint.app(server.listeners("request")[0] as (request: unknown, response: unknown) => void);
  expect((await get()).text).toBe("a server's listener");
  let isReady = false;
  endpoint.respond({
    ready: async () => {
      isReady = true;
    },
    routing: (_, response) => void response.end(`ready: ${isReady}`),
  });
  expect((await get()).text).toBe("ready: true");
});

test("an application sees that its caller left", async () => {
  const { clock, endpoint, channel } = setup();
  let hasClosed = false;
  endpoint.app((_, response) => {
    response.on("close", () => {
      hasClosed = true;
    });
  });
  const request = requestOf();
  const sent = channel.send(request).catch((error: unknown) => error);
  await clock.settle();
  request.cancel.cancel(new Error("left"));
  expect(await sent).toEqual(new Error("left"));
  await clock.settle();
  expect(hasClosed).toBe(true);
});

test("the same script gives the same run", async () => {
  const run = async () => {
    const { clock, endpoint, get } = setup();
    endpoint.latency({ min: 1, max: 100 });
    const ends: string[] = [];
    const all = Promise.all(Array.from({ length: 20 }, (_, index) => get(`/${index}`).then(() => ends.push(`${index} at ${clock.now()}`))));
    await clock.advance("1s");
    await all;
    return ends;
  };
  expect(await run()).toEqual(await run());
});

test("a place that was meant for a request that leaves goes to the next in line", async () => {
  const config = {
    apiVersion: "heddle/v1",
    services: { reviews: { endpoints: [{ address: "127.0.0.1:9081" }], limits: { maxConnections: 1 } } },
  };
  await using t = testMesh({ config });
  t.endpoint("127.0.0.1:9081").hang().times(1).respond({ status: 204 });
  const leaver = new AbortController();
  const leaving = [1, 2].map(() => t.request("http://reviews/", { signal: leaver.signal }).catch((error: unknown) => error));
  const next = t.request("http://reviews/");
  await t.advance(1);
  leaver.abort(new Error("gone"));
  await t.advance(1);
  expect(await Promise.all(leaving)).toEqual([leaver.signal.reason, leaver.signal.reason]);
  expect((await next).status).toBe(204);
});
