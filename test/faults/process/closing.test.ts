import { once } from "node:events";
import http, { type ServerResponse } from "node:http";
import { createServer } from "node:net";
import { fileSource, meshError, staticSource } from "@heddle/core";
import { type JoinedMesh, joinMesh } from "heddle";
import undici, { WebSocket } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { inFlight, join, type LoopbackServer, pause, serve, serveEcho } from "../../front-doors/setup.ts";

const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    (value) => value,
    (error: unknown) => meshError(error)?.code ?? error,
  );

/** An endpoint that answers when it is told to. */
async function held(): Promise<LoopbackServer & { readonly responses: ServerResponse[]; answer(): void }> {
  const responses: ServerResponse[] = [];
  const served = await serve((_request, response) => void responses.push(response));
  return Object.assign(served, {
    responses,
    answer: () => {
      for (const response of responses.splice(0)) response.end("late");
    },
  });
}

const arrived = (endpoint: LoopbackServer, count: number) => expect.poll(endpoint.requests, { timeout: 5_000 }).toBe(count);

/** Every way to make a request that is answered with its body. */
function ways(mesh: JoinedMesh): Record<string, () => Promise<string>> {
  return {
    "mesh.request": async () => (await mesh.request("http://reviews/")).text(),
    "mesh.fetch": async () => (await mesh.fetch("http://reviews/")).text(),
    dispatcher: async () => (await undici.request("http://reviews/", { dispatcher: mesh.dispatcher })).body.text(),
    agent: () =>
      new Promise((resolve, reject) => {
        const request = http.get("http://reviews/", { agent: mesh.agent() }, (response) => {
          let text = "";
          response.on("data", (chunk) => {
            text += chunk;
          });
          response.on("end", () => resolve(text));
          response.on("error", reject);
        });
        request.on("error", reject);
      }),
  };
}

test("what waits for its head is answered before the mesh is closed, by every way of calling", async () => {
  const endpoint = await held();
  const mesh = await join([endpoint.address]);
  const calls = Object.values(ways(mesh)).map((call) => codeOf(call()));
  await arrived(endpoint, calls.length);
  const closed = mesh.close({ limit: "5s" });
  await pause(30);
  endpoint.answer();
  expect(await Promise.all(calls)).toEqual(calls.map(() => "late"));
  await closed;
  expect(inFlight(mesh)).toBe(0);
});

test("what is not over at the limit is cut with closed, by every way of calling, and at every stage", async () => {
  const endpoint = await held();
  const streaming = await serve((_request, response) => void response.write("part"));
  const silent = createServer((socket) => void socket.on("error", () => {}));
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  onTestFinished(() => void silent.close());
  const mesh = await join([endpoint.address], {
    reviews: { limits: { maxConnections: 4 } },
    services: {
      streaming: { endpoints: [{ address: streaming.address }] },
      empty: { endpoints: [], whenEmpty: { wait: "1m" } },
      failing: { endpoints: [{ address: "127.0.0.1:9" }], retry: { maxRetries: 9, backoff: { base: "1m", max: "1m" } } },
    },
  });
  const stages: Record<string, Promise<unknown>> = {};
  for (const [way, call] of Object.entries(ways(mesh))) stages[`${way}, waiting for the head`] = codeOf(call());
  // Three share the pool's four connections, the agent has its own.
  await arrived(endpoint, 4);
  for (let count = 0; count < 6; count++) stages[`waiting for a slot ${count}`] = codeOf(mesh.request("http://reviews/"));
  stages["reading the body"] = codeOf(mesh.request("http://streaming/").then((reply) => reply.text()));
  const reader = (await mesh.request("http://streaming/")).stream().getReader();
  await reader.read();
  stages["reading a stream"] = codeOf(reader.read());
  stages["waiting for an endpoint"] = codeOf(mesh.request("http://empty/"));
  stages["waiting for another try"] = codeOf(mesh.request("http://failing/"));
  await arrived(endpoint, 5);
  const startedAt = performance.now();
  await mesh.close({ limit: "50ms" });
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  for (const [stage, outcome] of Object.entries(stages)) expect(await outcome, stage).toBe("closed");
  expect(inFlight(mesh)).toBe(0);
  expect(mesh.inspect().backends.find(({ name }) => name === "reviews")?.endpoints).toMatchObject([{ failures: 0 }]);
});

test("calls of close at the same time and later are one, and what is asked after the first is refused with closed", async () => {
  const endpoint = await held();
  const mesh = await join([endpoint.address]);
  const call = codeOf(mesh.request("http://reviews/").then((reply) => reply.text()));
  await arrived(endpoint, 1);
  const closings = [mesh.close(), mesh.close({ limit: 0 }), mesh.close(), mesh[Symbol.asyncDispose]()];
  expect(new Set(closings.slice(0, 3)).size).toBe(1);
  for (const [way, ask] of Object.entries(ways(mesh))) expect(await codeOf(ask()), way).toBe("closed");
  expect(await codeOf(mesh.service("reviews").get("/"))).toBe("closed");
  endpoint.answer();
  expect(await call).toBe("late");
  await Promise.all(closings);
  for (const [way, ask] of Object.entries(ways(mesh))) expect(await codeOf(ask()), way).toBe("closed");
  await mesh.close();
  expect(endpoint.requests()).toBe(1);
});

test("a WebSocket is waited for up to the limit, and then cut", async () => {
  const endpoint = await serveEcho();
  const mesh = await join([endpoint.address]);
  const upgraded = await undici.upgrade("http://reviews/", { protocol: "echo", dispatcher: mesh.dispatcher });
  const { socket } = upgraded;
  socket.on("error", () => {});
  const cut = new Promise((resolve) => socket.once("close", resolve));
  let isClosed = false;
  const closed = mesh.close({ limit: "150ms" }).then(() => {
    isClosed = true;
  });
  await pause(50);
  socket.write("still there");
  const [echoed] = (await once(socket, "data")) as [Buffer];
  expect(echoed.toString()).toContain("still there");
  expect(isClosed).toBe(false);
  await Promise.all([cut, closed]);
  expect(inFlight(mesh)).toBe(0);
  const refused = new WebSocket("ws://reviews/", { dispatcher: mesh.dispatcher });
  await new Promise((resolve) => {
    refused.onerror = resolve;
  });
});

test("a server in the middle of its answer finishes it, and may still call; then the port is closed", async () => {
  const endpoint = await held();
  const mesh = await join([endpoint.address], { services: { web: {} }, ...({ service: "web" } as object) });
  const listener = await mesh.listen(
    async (_request, response) => {
      response.write("first ");
      const inner = await mesh.request("http://reviews/");
      response.end(await inner.text());
    },
    { host: "127.0.0.1" },
  );
  const answer = fetch(listener.url).then((response) => response.text());
  await arrived(endpoint, 1);
  const closed = mesh.close({ limit: "5s" });
  await pause(30);
  expect(mesh.health()).toEqual({ ok: false, because: ["draining"], warnings: [] });
  endpoint.answer();
  expect(await answer).toBe("first late");
  await closed;
  expect(listener.server.listening).toBe(false);
  await expect(fetch(listener.url)).rejects.toThrow("fetch failed");
});

test("a server that does not finish is cut at the limit", async () => {
  const endpoint = await held();
  const mesh = await join([endpoint.address], { services: { web: {} }, ...({ service: "web" } as object) });
  const { url } = await mesh.listen((_request, response) => void response.write("never more"), { host: "127.0.0.1" });
  const answer = fetch(url).then((response) => response.text());
  const cut = expect(answer).rejects.toThrow("terminated");
  await expect.poll(() => mesh.inspect().inbound.inFlight).toBe(1);
  await mesh.close({ limit: "50ms" });
  await cut;
  await expect.poll(() => mesh.inspect().inbound.inFlight).toBe(0);
});

test("closed before its first source has spoken, it says closed, and holds no timer or watcher", async () => {
  const before = process.getActiveResourcesInfo().length;
  const { createMesh } = await import("@heddle/core");
  const { httpTransport } = await import("@heddle/http");
  const mesh = createMesh({ config: fileSource("/nowhere/mesh.yaml"), transport: httpTransport(), onProblem: () => {} });
  const ready = codeOf(mesh.ready());
  await mesh.close();
  expect(await ready).toBe("closed");
  expect(process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before);
});

test("an edit during the close changes nothing and holds nothing up", async () => {
  const [endpoint, other] = await Promise.all([held(), held()]);
  const documentOf = (address: string) => ({ apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ address }] } } });
  const source = staticSource(documentOf(endpoint.address));
  const mesh = await joinMesh({ config: source });
  const call = codeOf(mesh.request("http://reviews/").then((reply) => reply.text()));
  await arrived(endpoint, 1);
  const closed = mesh.close();
  source.update(documentOf(other.address));
  endpoint.answer();
  expect(await call).toBe("late");
  await closed;
  const { revision } = mesh.inspect();
  source.update(documentOf(endpoint.address));
  expect(mesh.inspect().revision).toBe(revision);
  expect(other.requests()).toBe(0);
});
