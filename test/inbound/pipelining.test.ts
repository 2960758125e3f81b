import type { Duplex } from "node:stream";
import { describe, expect, test, vi } from "vitest";
import { answerTo, guarded } from "../security/guarded.ts";
import { rawClient } from "./raw-client.ts";

// Requests that come before those ahead of them on the connection are answered. Each ends, whatever becomes of the connection.

const UPGRADES: Readonly<Record<string, string>> = {
  upgrade: "GET /chat HTTP/1.1\r\nhost: reviews\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
  connect: "CONNECT db:5432 HTTP/1.1\r\nhost: db:5432\r\n\r\n",
};
const OPEN = "GET /open HTTP/1.1\r\nhost: reviews\r\n\r\n";

async function reviews() {
  let release = () => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  const events: string[] = [];
  const { mesh, listener } = await guarded({ authorize: [{ name: "everybody", rules: [{}] }] }, (request, response) => {
    events.push("asked");
    response.on("close", () => events.push(response.writableFinished ? "answered" : "left"));
    void released.then(() => response.end(`seen ${request.url}`));
  });
  for (const event of Object.keys(UPGRADES)) {
    listener.server.on(event, (_request, socket: Duplex) => {
      events.push(event);
      socket.end("HTTP/1.1 204 No Content\r\n\r\n");
    });
  }
  return { mesh, listener, events, release };
}

describe.each(Object.entries(UPGRADES))("%s behind requests without an answer", (name, text) => {
  test("ends the connection, and all of them", async () => {
    const { mesh, listener, events, release } = await reviews();
    const client = await rawClient(listener.port);
    client.write(OPEN + OPEN);
    await vi.waitFor(() => expect(events).toEqual(["asked", "asked"]), 10_000);
    client.write(text);
    expect(await client.ended()).toBe("");
    await vi.waitFor(() => expect(mesh.inspect().inbound.inFlight).toBe(0), 10_000);
    expect(events).toEqual(["asked", "asked", "left", "left"]);
    // What the application writes later goes nowhere, and harms nobody.
    release();
    await listener.close();
  });

  test("ends all of them where they come in one piece, too", async () => {
    const { mesh, listener, events } = await reviews();
    expect(await answerTo(listener.port, OPEN + OPEN + text)).toBe("");
    await vi.waitFor(() => expect(mesh.inspect().inbound.inFlight).toBe(0), 10_000);
    expect(events.filter((event) => event === "asked")).toHaveLength(events.filter((event) => event === "left").length);
    expect(events).not.toContain(name);
    await listener.close();
  });
});

test.each(Object.entries(UPGRADES))("%s behind requests with an answer is handed over", async (event, text) => {
  const { listener, events, release } = await reviews();
  release();
  const client = await rawClient(listener.port);
  client.write(OPEN);
  await client.until("seen /open");
  client.write(text);
  expect(await client.ended()).toContain("204");
  expect(events).toEqual(["asked", "answered", event]);
});

test("a caller that leaves ends all requests that it sent at once", async () => {
  const { mesh, listener, events } = await reviews();
  const client = await rawClient(listener.port);
  client.write(OPEN + OPEN + OPEN);
  await vi.waitFor(() => expect(events).toEqual(["asked", "asked", "asked"]), 10_000);
  client.socket.destroy();
  await vi.waitFor(() => expect(mesh.inspect().inbound.inFlight).toBe(0), 10_000);
  expect(events.filter((event) => event === "left")).toHaveLength(3);
});
