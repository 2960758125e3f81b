import { readdirSync } from "node:fs";
import type { Server } from "node:http";
import { connect as connectTcp } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Listener, listen } from "@heddle/http";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { get, rawClient } from "./raw-client.ts";
import { asNobody, refusedHandshake, type SecureMesh, secureClient, secureMesh } from "./secure-mesh.ts";

const host = "127.0.0.1";
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

let mesh: SecureMesh;
let listener: Listener;
beforeAll(async () => {
  mesh = secureMesh("strict");
  listener = await listen(mesh, (_request, response) => response.end("ok"), { host });
});
afterAll(() => mesh.close());

function connectionCount(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
}

/** Everything that can become of a connection. */
const fates: readonly (() => Promise<void>)[] = [
  async () => {
    const client = await secureClient(listener.port);
    client.write(get("/"));
    await client.until("ok");
    client.socket.destroy();
  },
  async () => {
    const client = await secureClient(listener.port);
    client.write(get("/", ["connection: close"]));
    await client.ended();
  },
  async () => {
    const client = await rawClient(listener.port);
    client.write(get("/"));
    await client.ended();
  },
  async () => void (await refusedHandshake(listener.port, asNobody)),
  async () => {
    const socket = connectTcp(listener.port, host);
    socket.on("error", () => {});
    socket.write(Buffer.from("16030102000100", "hex"), () => socket.resetAndDestroy());
    await new Promise((closed) => socket.once("close", closed));
  },
];

async function many(count: number): Promise<void> {
  const perTurn = 20;
  for (let made = 0; made < count; made += perTurn)
    await Promise.all(Array.from({ length: perTurn }, (_, index) => fates[(made + index) % fates.length]?.()));
  await vi.waitFor(async () => expect(await connectionCount(listener.server)).toBe(0), 10_000);
}

async function reachable(): Promise<number> {
  for (let pass = 0; pass < 4; pass++) {
    await nextTurn();
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function forget(): void {
  for (const list of [mesh.connections, mesh.refusals, mesh.outcomes, mesh.routes, mesh.problems]) list.length = 0;
}

test("two thousand connections of every fate leave no memory, socket or entry behind", { timeout: 60_000 }, async () => {
  await many(500);
  forget();
  const [before, openBefore] = [await reachable(), readdirSync("/proc/self/fd").length];
  await many(2_000);
  forget();
  const [after, openAfter] = [await reachable(), readdirSync("/proc/self/fd").length];
  expect(openAfter).toBeLessThanOrEqual(openBefore);
  // A connection kept would be over 10 kB, two thousand of them 20 MB.
  expect((after - before) / 2_000).toBeLessThan(300);
});

test("two hundred callers that shake hands at once are all served", { timeout: 60_000 }, async () => {
  const clients = await Promise.all(Array.from({ length: 200 }, () => secureClient(listener.port)));
  expect(await connectionCount(listener.server)).toBe(200);
  for (const client of clients) client.write(get("/"));
  await Promise.all(clients.map((client) => client.until("ok")));
  for (const client of clients) client.socket.destroy();
  await vi.waitFor(async () => expect(await connectionCount(listener.server)).toBe(0), 10_000);
  forget();
});
