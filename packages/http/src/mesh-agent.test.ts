import { once } from "node:events";
import http, { type ClientRequest, type IncomingMessage, type Server } from "node:http";
import { createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { type Mesh, meshError, type Problem, runInScope } from "@heddle/core";
import { expect, onTestFinished, test } from "vitest";
import { echo, inFlight, meshOf, serve, servePipes } from "../test/front-doors.ts";
import { MeshAgent, type MeshAgentOptions } from "./mesh-agent.ts";

function agentOf(mesh: Mesh, options: MeshAgentOptions = {}): MeshAgent {
  const agent = new MeshAgent(mesh, options);
  onTestFinished(() => agent.destroy());
  return agent;
}

function answer(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", reject);
  });
}

async function get(url: string, options: http.RequestOptions): Promise<{ readonly message: IncomingMessage; readonly body: string }> {
  const message = await answer(http.get(url, options));
  return { message, body: await text(message) };
}

async function refusing(): Promise<string> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return `127.0.0.1:${address.port}`;
}

test("picks an endpoint for every request, and keeps the host header", async () => {
  const [one, two] = [await serve((_q, r) => r.end("one")), await serve((_q, r) => r.end("two"))];
  const mesh = await meshOf([one.address, two.address], { balancer: { policy: "round-robin" } });
  const agent = agentOf(mesh);
  const seen = new Set<string>();
  for (let call = 0; call < 4; call++) seen.add((await get("http://reviews/", { agent })).body);
  expect([...seen].sort()).toEqual(["one", "two"]);
  expect(one.connections() + two.connections(), "kept alive").toBe(2);
  expect(inFlight(mesh)).toBe(0);
});

test("sends what node:http sends, to the host that was asked for", async () => {
  const server = await serve(echo);
  const agent = agentOf(await meshOf([server.address], { hosts: ["reviews:8080"] }));
  const request = http.request("http://reviews:8080/api?a=b", { agent, method: "POST", headers: { "x-user": "jason" } });
  request.end("content");
  const received = JSON.parse(await text(await answer(request)));
  expect(received).toMatchObject({
    method: "POST",
    url: "/api?a=b",
    body: "content",
    headers: { host: "reviews:8080", "x-user": "jason" },
  });
});

test("routes by what the request says", async () => {
  const [one, two] = [await serve((_q, r) => r.end("one")), await serve((_q, r) => r.end("two"))];
  const mesh = await meshOf([], {
    endpoints: [
      { address: one.address, labels: { v: "1" } },
      { address: two.address, labels: { v: "2" } },
    ],
    subsets: { v1: { labels: { v: "1" } }, v2: { labels: { v: "2" } } },
    routes: [
      { name: "beta", match: { headers: { "x-user": { exact: "jason" } } }, to: [{ subset: "v2" }] },
      { name: "gone", match: { path: { prefix: "/v0" } }, respond: { status: 410, body: "gone" } },
      { name: "rest", to: [{ subset: "v1" }] },
    ],
  });
  const agent = agentOf(mesh);
  expect((await get("http://reviews/", { agent })).body).toBe("one");
  const beta = await get("http://reviews/", { agent, headers: { "X-User": "jason" } });
  expect(beta.body).toBe("two");
  expect(mesh.report(beta.message)).toMatchObject({ route: "beta", attempts: [{ endpoint: two.address, outcome: "200" }] });
  const gone = await get("http://reviews/v0", { agent });
  expect([gone.message.statusCode, gone.body]).toEqual([410, "gone"]);
});

test("its failures before a request is sent are the request's error", async () => {
  const mesh = await meshOf([], { endpoints: [] });
  const error = await get("http://reviews/", { agent: agentOf(mesh) }).catch((reason: unknown) => reason);
  expect(meshError(error)).toMatchObject({ code: "no_endpoint", report: { service: "reviews" } });
  const answered = await get("http://reviews/", { agent: agentOf(mesh, { failures: "response" }) });
  expect([answered.message.statusCode, answered.message.headers["x-heddle-error"], answered.body]).toEqual([503, "no_endpoint", ""]);
});

test("an endpoint that refuses is a failure of the mesh, is told to outlier detection, and is not tried again", async () => {
  const address = await refusing();
  const other = await serve(echo);
  const problems: Problem[] = [];
  const mesh = await meshOf(
    [address, other.address],
    { retry: {}, outlier: { consecutiveFailures: 1 }, balancer: { policy: "round-robin" } },
    {},
    problems,
  );
  const agent = agentOf(mesh);
  const results = [];
  for (let call = 0; call < 6; call++) results.push(await get("http://reviews/", { agent }).catch((reason: unknown) => reason));
  const failures = results.filter((result) => result instanceof Error);
  expect(failures).toHaveLength(1);
  expect(meshError(failures[0])).toMatchObject({
    code: "connect_failed",
    report: { attempts: [{ endpoint: address, outcome: "connect-failure", why: "node:http sends it, and only once" }] },
  });
  expect(problems.map(({ message }) => message).filter((message) => message.includes("mesh.agent()"))).toHaveLength(1);
  expect(inFlight(mesh)).toBe(0);
});

test("a connection that breaks is node:http's error, with the mesh's as its cause", async () => {
  const server = await serve((request) => request.socket.resetAndDestroy());
  const mesh = await meshOf([server.address]);
  const error = await get("http://reviews/", { agent: agentOf(mesh) }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ code: "ECONNRESET" });
  expect(meshError(error)?.code).toBe("connection_reset");
  expect(mesh.report(error)).toMatchObject({ attempts: [{ outcome: "reset" }] });
  expect(inFlight(mesh)).toBe(0);
});

test("a request that its caller destroys is no failure of the endpoint", async () => {
  const server = await serve(() => {});
  const mesh = await meshOf([server.address], { outlier: { consecutiveFailures: 1 } });
  const request = http.get("http://reviews/", { agent: agentOf(mesh) });
  const closed = new Promise((resolve) => request.on("close", resolve));
  request.on("error", () => {});
  await expect.poll(() => inFlight(mesh)).toBe(1);
  await expect.poll(server.connections).toBe(1);
  request.destroy();
  await closed;
  expect(inFlight(mesh)).toBe(0);
  expect(mesh.inspect().backends[0]?.endpoints[0]).toMatchObject({ failures: 0 });
});

test("the route's deadline holds while a request waits for its answer, for its body, and for a connection", async () => {
  const server = await serve((request, response) => {
    if (request.url === "/body") response.write("part");
  });
  const mesh = await meshOf([server.address], { timeout: "100ms", limits: { maxConnections: 1 } });
  const agent = agentOf(mesh);
  const waiting = get("http://reviews/", { agent }).catch((reason: unknown) => reason);
  const queued = get("http://reviews/", { agent }).catch((reason: unknown) => reason);
  expect(meshError(await waiting)?.code).toBe("deadline_exceeded");
  expect(meshError(await queued)?.code).toBe("deadline_exceeded");
  const message = await answer(http.get("http://reviews/body", { agent }));
  await expect(text(message)).rejects.toThrow();
  expect(inFlight(mesh)).toBe(0);
  expect(mesh.inspect().backends[0]).toMatchObject({ pending: 0 });
});

test("the deadline of the inbound request holds, for unclaimed hosts too", async () => {
  const server = await serve(() => {});
  const mesh = await meshOf([server.address]);
  const agent = agentOf(mesh);
  const scope = { trace: null, tags: null, deadlineAt: mesh.clock.now() + 50, isRetry: false };
  for (const url of ["http://reviews/", `http://${server.address}/`]) {
    scope.deadlineAt = mesh.clock.now() + 50;
    const error = await runInScope(scope, () => get(url, { agent })).catch((reason: unknown) => reason);
    expect(meshError(error)?.code).toBe("deadline_exceeded");
  }
});

test("the trace of the inbound request is carried on", async () => {
  const server = await serve(echo);
  const mesh = await meshOf([server.address]);
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const scope = { trace: { traceparent, tracestate: undefined }, tags: null, deadlineAt: Number.POSITIVE_INFINITY, isRetry: false };
  const { body } = await runInScope(scope, () => get("http://reviews/", { agent: agentOf(mesh) }));
  expect(JSON.parse(body).headers.traceparent).toBe(traceparent);
});

test("limits refuse what is over them", async () => {
  const server = await serve(() => {});
  const mesh = await meshOf([server.address], { limits: { maxRequests: 1 } });
  const agent = agentOf(mesh);
  const first = http.get("http://reviews/", { agent });
  first.on("error", () => {});
  const error = await get("http://reviews/", { agent }).catch((reason: unknown) => reason);
  expect(meshError(error)?.code).toBe("overloaded");
  first.destroy();
});

/** The most connections that a server had open at once. */
function peakOf(server: Server): () => number {
  let open = 0;
  let peak = 0;
  server.on("connection", (socket) => {
    peak = Math.max(peak, ++open);
    socket.on("close", () => open--);
  });
  return () => peak;
}

test("maxConnections holds for requests of one moment, which wait their turn", async () => {
  const { server, address } = await serve((_q, r) => void setTimeout(() => r.end("late"), 20));
  const peak = peakOf(server);
  for (const maxConnections of [1, 2]) {
    const agent = agentOf(await meshOf([address], { limits: { maxConnections } }));
    const answers = await Promise.all(Array.from({ length: 5 }, () => get("http://reviews/", { agent })));
    expect(answers.map(({ body }) => body)).toEqual(Array(5).fill("late"));
    expect(peak()).toBe(maxConnections);
    server.closeAllConnections();
  }
});

test("who waits for a connection gets another one where it closes or is refused", async () => {
  const { server, address } = await serve((_q, r) => void r.writeHead(200, { connection: "close" }).end("closed"));
  const peak = peakOf(server);
  const limits = { maxConnections: 1 };
  const closing = agentOf(await meshOf([address], { limits }));
  const answers = await Promise.all(Array.from({ length: 3 }, () => get("http://reviews/", { agent: closing })));
  expect(answers.map(({ body }) => body)).toEqual(["closed", "closed", "closed"]);
  expect(peak()).toBe(1);
  const mesh = await meshOf([await refusing()], { limits, outlier: "off" });
  const agent = agentOf(mesh);
  const failures = Array.from({ length: 3 }, () => get("http://reviews/", { agent }).catch((error: unknown) => meshError(error)?.code));
  expect(await Promise.all(failures)).toEqual(["connect_failed", "connect_failed", "connect_failed"]);
  expect(inFlight(mesh)).toBe(0);
});

test("a pipe is one of maxConnections until it closes", async () => {
  const server = await servePipes();
  const agent = agentOf(await meshOf([server.address], { limits: { maxConnections: 1 } }));
  const open = () => http.get("http://reviews/room", { agent, headers: { connection: "upgrade", upgrade: "echo" } });
  const [, first] = (await once(open(), "upgrade")) as [IncomingMessage, Socket];
  const second = once(open(), "upgrade") as Promise<[IncomingMessage, Socket]>;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(server.open()).toBe(1);
  first.destroy();
  const [message, socket] = await second;
  expect(message.statusCode).toBe(101);
  socket.destroy();
});

test("unclaimed hosts go through the agent that was global, unless egress is denied", async () => {
  const server = await serve((_q, r) => r.end("direct"));
  expect((await get(`http://${server.address}/`, { agent: agentOf(await meshOf([])) })).body).toBe("direct");
  const denied = agentOf(await meshOf([], {}, { egress: "deny" }));
  const error = await get(`http://${server.address}/`, { agent: denied }).catch((reason: unknown) => reason);
  expect(meshError(error)?.code).toBe("unknown_service");
});

test("a response that nobody listens for is thrown away, as node:http does", async () => {
  const server = await serve((_q, r) => r.end("content"));
  const mesh = await meshOf([server.address]);
  const request = http.get("http://reviews/", { agent: agentOf(mesh) });
  await once(request, "close");
  expect(inFlight(mesh)).toBe(0);
});

test("an upgrade hands over its connection, which counts until it closes", async () => {
  const server = await servePipes();
  const mesh = await meshOf([server.address], { timeout: "100ms" });
  const request = http.get("http://reviews/room", { agent: agentOf(mesh), headers: { connection: "upgrade", upgrade: "echo" } });
  const [message, socket] = (await once(request, "upgrade")) as [IncomingMessage, Socket];
  expect(message.statusCode).toBe(101);
  await new Promise((resolve) => setTimeout(resolve, 150));
  socket.write("hello");
  expect(String((await once(socket, "data"))[0])).toBe("hello");
  expect(inFlight(mesh)).toBe(1);
  socket.destroy();
  await expect.poll(() => inFlight(mesh)).toBe(0);
});

test("closing the mesh waits for what is in flight, and ends idle connections", async () => {
  let finish: () => void = () => {};
  const server = await serve((_q, response) => {
    finish = () => void response.end("late");
  });
  const mesh = await meshOf([server.address]);
  const late = get("http://reviews/", { agent: agentOf(mesh) });
  await expect.poll(server.connections).toBe(1);
  const closed = mesh.close();
  finish();
  expect((await late).body).toBe("late");
  await closed;
});
