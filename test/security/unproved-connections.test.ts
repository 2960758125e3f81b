import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { createMesh } from "@heddle/core";
import { httpTransport, MeshDispatcher, meshRequest } from "@heddle/http";
import { testAuthority } from "@heddle/testing/authority";
import { expect, onTestFinished, test, vi } from "vitest";
import { answerTo, guarded, statusOf } from "./guarded.ts";

// Connections that prove nothing, or say half of something: they get nothing, and take nothing from those that prove who they are.

const host = "127.0.0.1";
const shop = testAuthority();

async function reviews(inbound: object = {}) {
  let called = 0;
  const application = (_request: unknown, response: { end(text: string): void }) => {
    called++;
    response.end("served");
  };
  const { mesh, listener } = await guarded(inbound, application as never, { identity: shop.source("reviews"), onProblem: () => {} });
  for (const event of ["upgrade", "connect"]) {
    listener.server.on(event, (_request, socket: Socket) => {
      called++;
      socket.destroy();
    });
  }
  const count = () => new Promise<number>((resolve) => listener.server.getConnections((_error, connections) => resolve(connections)));
  return { mesh, port: listener.port, called: () => called, connections: count };
}

/** The status that a mesh that proves to be `web` gets. */
async function asWeb(port: number): Promise<number> {
  const config = {
    apiVersion: "heddle/v1",
    services: { web: {}, reviews: { retry: "off", endpoints: [{ address: `${host}:${port}` }], identities: [shop.id("reviews").text] } },
  };
  const client = createMesh({ service: "web", config, transport: httpTransport(), identity: shop.source("web") });
  onTestFinished(() => client.close({ limit: 0 }));
  await client.ready();
  const reply = await meshRequest(client, new MeshDispatcher(client))("http://reviews/");
  await reply.bytes();
  return reply.status;
}

/** The first bytes that a TLS client sends. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, host);
  await once(server, "listening");
  const client = connectTls({ host, port: (server.address() as { port: number }).port, rejectUnauthorized: false });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [Socket];
  const [hello] = (await once(socket, "data")) as [Buffer];
  for (const end of [client, socket]) end.destroy();
  server.close();
  return hello;
}

async function halfOpen(port: number, count: number, begin: (index: number) => Buffer | string): Promise<readonly Socket[]> {
  const sockets = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const socket = connect(port, host);
      socket.on("error", () => {});
      socket.resume();
      await once(socket, "connect");
      const bytes = begin(index);
      if (bytes.length > 0) socket.write(bytes);
      return socket;
    }),
  );
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  return sockets;
}

const BODY = "content-length: 2\r\n\r\nhi";
const PLAIN: Readonly<Record<string, string>> = {
  GET: "GET /open HTTP/1.1\r\nhost: reviews\r\n\r\n",
  POST: `POST /open HTTP/1.1\r\nhost: reviews\r\n${BODY}`,
  "POST that waits for 100": `POST /open HTTP/1.1\r\nhost: reviews\r\nexpect: 100-continue\r\n${BODY}`,
  // Node refuses it by itself, before it asks anybody.
  "an expectation": `POST /open HTTP/1.1\r\nhost: reviews\r\nexpect: coffee\r\nconnection: close\r\n${BODY}`,
  "an upgrade": "GET /chat HTTP/1.1\r\nhost: reviews\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  "an upgrade to health": "GET /livez HTTP/1.1\r\nhost: reviews\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  CONNECT: "CONNECT db:5432 HTTP/1.1\r\nhost: db:5432\r\n\r\n",
  "POST to health": `POST /livez HTTP/1.1\r\nhost: reviews\r\n${BODY}`,
  "a path that only begins as health does": "GET /livez/../open HTTP/1.1\r\nhost: reviews\r\n\r\n",
  "HTTP/1.0": "GET /open HTTP/1.0\r\n\r\n",
};

test.each(Object.entries(PLAIN))("strict serves no plain text: %s", async (name, text) => {
  const { port, called, connections } = await reviews();
  const answer = await answerTo(port, text);
  expect([called(), statusOf(answer)]).toEqual([0, name === "an expectation" ? 417 : 403]);
  await vi.waitFor(async () => expect(await connections()).toBe(0), 10_000);
});

test("HTTP/2 in plain text is no way in", async () => {
  const { port, called } = await reviews();
  const answer = await answerTo(port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
  expect([called(), statusOf(answer)]).toEqual([0, 400]);
});

test("health is answered in plain text, and nothing that comes behind it on the connection is served", async () => {
  const { port, called } = await reviews();
  const answer = await answerTo(port, `GET /livez HTTP/1.1\r\nhost: reviews\r\n\r\n${PLAIN.GET}`);
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 403"]);
  expect(called()).toBe(0);
});

test.each(["strict", "permissive"])(
  "500 connections that stop in the middle of their first message keep nobody out: %s",
  { timeout: 60_000 },
  async (mtls) => {
    const { port, called, connections } = await reviews({ mtls });
    const hello = await clientHello();
    const sockets = await halfOpen(port, 500, (index) => hello.subarray(0, 1 + ((index * 7) % (hello.length - 1))));
    await vi.waitFor(async () => expect(await connections()).toBe(500), 20_000);
    expect(await asWeb(port)).toBe(200);
    expect(called()).toBe(1);
    // The listener gives each ten seconds in all.
    await Promise.all(sockets.map((socket) => socket.closed || new Promise((closed) => socket.once("close", closed))));
    await vi.waitFor(async () => expect(await connections()).toBeLessThanOrEqual(1), 20_000);
  },
);

test("a caller that says nothing on a permissive port is closed, and holds nobody up meanwhile", { timeout: 60_000 }, async () => {
  const { port, called, mesh } = await reviews({ mtls: "permissive" });
  const [silent] = await halfOpen(port, 1, () => "");
  expect(statusOf(await answerTo(port, "GET / HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n"))).toBe(200);
  expect(await asWeb(port)).toBe(200);
  expect(called()).toBe(2);
  if (silent && !silent.closed) await once(silent, "close");
  expect(mesh.inspect().inbound.refusedConnections).toBe(0);
});
