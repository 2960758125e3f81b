import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { serve } from "../../front-doors/setup.ts";
import { Child } from "./child.ts";
import type { Asked, CallsTold, ServingTold } from "./descriptors-messages.ts";

const OPEN_FILES = 64;

async function start(): Promise<Child> {
  const endpoints = await Promise.all([
    serve((_request, response) => void response.end("ok")),
    serve((_request, response) => void response.end("ok")),
  ]);
  const child = new Child("descriptors-child.ts", { args: endpoints.map(({ address }) => address), openFiles: OPEN_FILES });
  await child.next<CallsTold>();
  return child;
}

const ask = (child: Child, asked: Asked) => child.ask<CallsTold>(asked);

test("without file descriptors calls fail at once and say why, no endpoint is blamed, and all is well once there are some", async () => {
  const child = await start();
  const without = await ask(child, { kind: "take all", count: 24 });
  expect(without.calls.map(({ outcome }) => outcome)).toEqual(without.calls.map(() => "connect_failed"));
  for (const { message, tries } of without.calls) {
    expect(message).toContain("EMFILE");
    expect(message).toContain("this process has no file descriptor left, which is not held against the endpoint");
    // One, and what `retry` asks for: nothing is tried at once elsewhere.
    expect(tries).toBeLessThanOrEqual(3);
  }
  expect(without.calls.filter(({ tries }) => tries === 1).length).toBeGreaterThanOrEqual(18);
  expect(without.inFlight).toBe(0);

  // One at a time, so that a row would be counted.
  for (let count = 0; count < 8; count++) await ask(child, { kind: "call", count: 1 });
  const before = await ask(child, { kind: "call", count: 0 });
  for (const state of before.states) expect(state).toEqual({ state: "ready", failures: 0, ejections: 0 });
  expect(new Set(before.breakers)).toEqual(new Set(["closed"]));

  const after = await ask(child, { kind: "give back", count: 24 });
  expect(after.calls.map(({ outcome }) => outcome)).toEqual(after.calls.map(() => "200"));
  expect(after.inFlight).toBe(0);
});

/** Connects until the other side can take no more; resolves once it has hung up on some. */
async function crowd(port: number, count: number): Promise<readonly Socket[]> {
  let refused = 0;
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => {});
    socket.once("close", () => refused++);
    return socket;
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  await expect.poll(() => refused, { timeout: 5_000 }).toBeGreaterThan(0);
  return sockets;
}

test("a server that can accept no more connections hangs up on them, goes on, and serves again when some have gone", async () => {
  const child = await start();
  const { port } = await child.ask<ServingTold>({ kind: "serve" });
  const served = async () => (await fetch(`http://127.0.0.1:${port}/`)).text();
  expect(await served()).toBe("served");

  const sockets = await crowd(port, OPEN_FILES * 2);
  const crowded = await ask(child, { kind: "call", count: 4 });
  expect(crowded.calls.map(({ outcome }) => outcome)).toEqual(crowded.calls.map(() => "connect_failed"));

  await Promise.all(
    sockets.map(async (socket) => {
      if (socket.destroyed) return;
      socket.destroy();
      await once(socket, "close");
    }),
  );
  await expect.poll(() => served().catch(String), { timeout: 5_000 }).toBe("served");
  const after = await ask(child, { kind: "call", count: 8 });
  expect(after.calls.map(({ outcome }) => outcome)).toEqual(after.calls.map(() => "200"));
  expect(after.problems).toEqual([]);
});
