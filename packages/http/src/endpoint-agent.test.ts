import http, { type IncomingMessage, type RequestListener } from "node:http";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { serve } from "../test/front-doors.ts";
import { dialer } from "./dial.ts";
import { EndpointAgent } from "./endpoint-agent.ts";
import { OpenSockets } from "./open-sockets.ts";

interface Asked {
  readonly address: string;
  readonly agent: EndpointAgent;
  ask(): Promise<void>;
  free(): readonly Socket[];
}

async function agentTo(listener: RequestListener): Promise<Asked> {
  const { address } = await serve(listener);
  const settings = { address, protocol: "http1", tls: null, maxConnections: 100, connectTimeoutMs: 2_000 } as const;
  const agent = new EndpointAgent(
    settings,
    dialer(address, () => settings.connectTimeoutMs),
    new OpenSockets(),
  );
  onTestFinished(() => agent.destroy());
  return {
    address,
    agent,
    async ask() {
      const message = await new Promise<IncomingMessage>((resolve, reject) => {
        http.get(`http://${address}/`, { agent }, resolve).on("error", reject);
      });
      await text(message);
      await new Promise((resolve) => setImmediate(resolve));
    },
    free: () => Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? []),
  };
}

test("a connection that nobody uses is given four seconds where its server says nothing", async () => {
  const { ask, free } = await agentTo((_request, response) => {
    response.shouldKeepAlive = true;
    response.writeHead(200, { connection: "keep-alive", "keep-alive": "" }).end("content");
  });
  await ask();
  expect(free().map(({ timeout }) => timeout)).toEqual([4_000]);
});

test("a connection that nobody uses is given less where its server says so", async () => {
  const { ask, free } = await agentTo((_request, response) => {
    response.writeHead(200, { connection: "keep-alive", "keep-alive": "timeout=3" }).end("content");
  });
  await ask();
  expect(free().map(({ timeout }) => timeout)).toEqual([2_000]);
});

test("a request's own timeout holds, whatever the time for idle connections is", async () => {
  const { agent, ask, address } = await agentTo((request, response) => {
    if (request.url === "/") response.end("content");
  });
  await ask();
  for (const kept of [true, false]) {
    const request = http.get(`http://${address}/hang`, { agent, timeout: 4_000 }).on("error", () => {});
    const socket = await new Promise<Socket>((resolve) => request.on("socket", resolve));
    expect(request.reusedSocket).toBe(kept);
    await expect.poll(() => socket.timeout).toBe(4_000);
  }
});

test("a connection in use has no such limit, however long its request takes", async () => {
  const { ask, free, agent } = await agentTo((_request, response) => response.end("content"));
  await ask();
  const [socket] = free();
  const again = ask();
  expect(Object.values(agent.sockets).flat()).toEqual([socket]);
  expect(socket?.timeout).toBe(0);
  await again;
});
