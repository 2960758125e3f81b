import { execFile } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { grpcStream } from "../../packages/spiffe/src/workload-grpc.ts";
import type { StreamEnd } from "../../packages/spiffe/src/workload-stream.ts";
import { workloadAgent } from "./workload-agent.ts";
import { messageNow, rootNow, waitUntil, watchAgent } from "./workload-watch.ts";

const shop = rootNow("shop");

interface Listener extends AsyncDisposable {
  readonly address: string;
  readonly target: string;
  readonly connections: readonly Socket[];
}

/** It does not hang up because the other side does: a process that was halted does not either. */
async function listening(accept: (socket: Socket) => void): Promise<Listener> {
  const connections: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.push(socket);
    socket.on("error", () => {});
    accept(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    address: `tcp://127.0.0.1:${port}`,
    target: `ipv4:127.0.0.1:${port}`,
    connections,
    async [Symbol.asyncDispose]() {
      for (const socket of connections) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

test("notices by keepalive an agent that no longer answers, and asks it over a new connection", async () => {
  await using agent = await workloadAgent("tcp");
  agent.send(messageNow(shop));
  const port = Number(new URL(agent.address).port);
  const frozen = new Set<Socket>();
  await using between = await listening((socket) => {
    const upstream = connect(port, "127.0.0.1");
    upstream.on("error", () => {});
    socket.on("close", () => upstream.destroy());
    socket.on("data", (bytes) => frozen.has(socket) || upstream.write(bytes));
    upstream.on("data", (bytes) => frozen.has(socket) || socket.write(bytes));
  });
  using watched = watchAgent({ address: between.address, keepalive: "1s", keepaliveTimeout: "500ms" });
  await watched.until(() => watched.states.length === 1);
  for (const socket of between.connections) frozen.add(socket);
  await watched.until(() => watched.problems.length === 1);
  expect(watched.problems[0]?.message).toMatch(/^the agent cannot be reached or does not answer \(UNAVAILABLE/);
  await watched.until(() => watched.states.length === 2);
  expect(between.connections).toHaveLength(2);
  await watched.until(() => between.connections[0]?.readableEnded === true);
});

test("gives up one that accepts and says nothing, in the time for a first message", async () => {
  await using silent = await listening((socket) => socket.resume());
  using watched = watchAgent({ address: silent.address, responseTimeout: "200ms" });
  await watched.until(() => silent.connections.length >= 3);
  expect(watched.problems.map(({ message }) => message)).toEqual([
    expect.stringContaining('(DEADLINE_EXCEEDED, "no message within 200 ms")'),
  ]);
  await watched.until(() => silent.connections[0]?.readableEnded === true);
});

test("tells what is no gRPC server, and asks again", async () => {
  await using web = await listening((socket) => socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n"));
  using watched = watchAgent({ address: web.address });
  await watched.until(() => web.connections.length >= 3);
  expect(watched.problems).toHaveLength(1);
});

test("a stream is one connection: grpc-js does not try again by itself", async () => {
  await using broken = await listening((socket) => socket.destroy());
  const openStream = grpcStream({ target: broken.target, keepaliveMs: 360_000, keepaliveTimeoutMs: 20_000 });
  const ends: StreamEnd[] = [];
  for (let stream = 1; stream <= 3; stream++) {
    const close = openStream({ message: () => {}, end: (end) => ends.push(end) });
    await waitUntil(
      () => ends.length === stream,
      () => `${ends.length} ends`,
    );
    close();
  }
  expect(ends.map(({ code }) => code)).toEqual(["UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"]);
  expect(broken.connections).toHaveLength(3);
});

test("a stream that is closed at once tells nothing", async () => {
  await using agent = await workloadAgent("tcp");
  agent.send(messageNow(shop));
  const openStream = grpcStream({
    target: `ipv4:127.0.0.1:${new URL(agent.address).port}`,
    keepaliveMs: 360_000,
    keepaliveTimeoutMs: 20_000,
  });
  const told: string[] = [];
  openStream({ message: () => told.push("message"), end: () => told.push("end") })();
  using witness = watchAgent({ address: agent.address });
  await witness.until(() => witness.states.length === 1);
  expect(told).toEqual([]);
});

/** Watches in a process of its own, closes when it is told so, and says when the process ends by itself. */
const WATCH = `
  const { workloadApi } = await import("@heddle/spiffe");
  const { systemClock } = await import("@heddle/core");
  const [address, when] = process.argv.slice(1);
  const close = workloadApi({ address, backoff: { base: "10ms", max: "10s" }, responseTimeout: "2s" }).watch(
    { update: () => when === "told" && close(), problem: () => when === "in trouble" && close() },
    { clock: systemClock, random: () => 1, service: null },
  );
  if (when === "at once") close();
  process.on("exit", () => console.log("ended by itself"));
`;

async function endsByItself(address: string, when: string): Promise<string> {
  const cwd = fileURLToPath(new URL("../../", import.meta.url));
  const run = promisify(execFile)(process.execPath, ["--input-type=module", "--eval", WATCH, address, when], { cwd, timeout: 15_000 });
  return (await run).stdout;
}

describe("a process ends by itself", () => {
  test.each(["at once", "in trouble", "never"])("where nobody listens, closed %s: waiting keeps nothing alive", async (when) => {
    expect(await endsByItself("unix:///nonexistent/agent.sock", when)).toBe("ended by itself\n");
  });

  test.each(["at once", "in trouble"])("where somebody accepts, says nothing and does not hang up, closed %s", async (when) => {
    await using silent = await listening((socket) => socket.resume());
    expect(await endsByItself(silent.address, when)).toBe("ended by itself\n");
  });

  test("where an agent answers and does not hang up, closed when it told the identity", async () => {
    await using agent = await workloadAgent("tcp");
    agent.send(messageNow(shop));
    await using between = await listening((socket) => {
      const upstream = connect(Number(new URL(agent.address).port), "127.0.0.1");
      upstream.on("error", () => {});
      socket.on("data", (bytes) => upstream.write(bytes));
      upstream.on("data", (bytes) => socket.write(bytes));
    });
    expect(await endsByItself(between.address, "told")).toBe("ended by itself\n");
  });
});
