import { type Handler, type HeaderMap, PushBody } from "@heddle/core";
import { type Listener, listen } from "@heddle/http";
import { expect, onTestFinished, test } from "vitest";
import { get, rawClient } from "./raw-client.ts";
import { servingMesh } from "./serving-mesh.ts";

/** A listener whose stack answers everything itself. */
async function answeringWith(inbound: Handler): Promise<Listener> {
  const mesh = Object.assign(servingMesh(), { inbound });
  const listener = await listen(mesh, () => {}, { host: "127.0.0.1" });
  onTestFinished(async () => {
    listener.destroy();
    await listener.close();
  });
  return listener;
}

function flowing(): { body: PushBody; calls: string[] } {
  const calls: string[] = [];
  const body = new PushBody({
    pause: () => calls.push("pause"),
    resume: () => calls.push("resume"),
    abort: () => calls.push("abort"),
  });
  return { body, calls };
}

test("an answer of the mesh keeps its status, its headers and every value of them", async () => {
  const headers: HeaderMap = { "x-one": "1", "x-two": ["a", "b"], "x-none": undefined };
  const { url } = await answeringWith(async () => ({ status: 429, headers, body: PushBody.of("slow down") }));
  const reply = await fetch(url);
  expect([reply.status, reply.headers.get("x-one"), reply.headers.get("x-two"), reply.headers.has("x-none")]).toEqual([
    429,
    "1",
    "a, b",
    false,
  ]);
  expect(await reply.text()).toBe("slow down");
});

test("an answer of the mesh waits for a slow caller", async () => {
  const { body, calls } = flowing();
  const { port } = await answeringWith(async () => ({ status: 200, headers: {}, body }));
  const client = await rawClient(port);
  client.write(get("/", ["connection: close"]));
  await client.until("\r\n\r\n");
  client.socket.pause();
  const chunk = Buffer.alloc(64 * 1024, "x");
  let pushed = 0;
  for (; pushed < 2_000 && calls.length === 0; pushed++) {
    body.push(chunk);
    await new Promise(setImmediate);
  }
  expect(calls).toEqual(["pause"]);
  client.socket.resume();
  await expect.poll(() => calls).toEqual(["pause", "resume"]);
  body.end(null);
  const reply = await client.ended();
  expect(reply.split("x").length - 1).toBe(pushed * chunk.length);
});

test("a caller that leaves aborts an answer of the mesh that still flows", async () => {
  const { body, calls } = flowing();
  const { port } = await answeringWith(async () => ({ status: 200, headers: {}, body }));
  const client = await rawClient(port);
  client.write(get("/"));
  await client.until("\r\n\r\n");
  client.socket.destroy();
  await expect.poll(() => calls).toEqual(["abort"]);
});

test("an answer of the mesh that breaks is cut, so that it cannot be taken for complete", async () => {
  const { body } = flowing();
  const { port } = await answeringWith(async () => ({ status: 200, headers: {}, body }));
  const client = await rawClient(port);
  client.write(get("/"));
  await client.until("\r\n\r\n");
  body.push(Buffer.from("first"));
  body.fail(new Error("broken"));
  expect(await client.ended()).not.toMatch(/\r\n0\r\n\r\n$/);
});

test("a stack that fails answers 500", async () => {
  const { url } = await answeringWith(() => Promise.reject(new Error("layer")));
  expect((await fetch(url)).status).toBe(500);
});
