import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { acceptWebSocket } from "./web-socket.ts";

async function serve(): Promise<string> {
  const server = createServer();
  server.on("upgrade", (request, socket) => acceptWebSocket(request, socket, (text) => text.toUpperCase()));
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => void server.close());
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test("answers texts in their order, also those that come together, and closes as it was told to", async () => {
  const socket = new WebSocket(await serve());
  const answers: unknown[] = [];
  socket.addEventListener("message", ({ data }) => {
    if (answers.push(data) === 3) socket.close(1000, "done");
  });
  await once(socket, "open");
  for (const text of ["one", "two", "x".repeat(125)]) socket.send(text);
  const [closed] = await once(socket, "close");
  expect(answers).toEqual(["ONE", "TWO", "X".repeat(125)]);
  expect(closed).toMatchObject({ code: 1000, wasClean: true });
});

test("what is not a text is not answered: the socket is cut", async () => {
  const socket = new WebSocket(await serve());
  await once(socket, "open");
  socket.send(new Uint8Array([1]));
  const [closed] = await once(socket, "close");
  expect(closed).toMatchObject({ wasClean: false });
});
