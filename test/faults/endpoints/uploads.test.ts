import http from "node:http";
import { meshError } from "@heddle/core";
import type { JoinedMesh } from "heddle";
import undici from "undici";
import { describe, expect, test } from "vitest";
import { type RawConnection, type Script, turns } from "./raw-endpoint.ts";
import { atRest, closes, endpointOf, inspected, join, nothingEscapes, until } from "./setup.ts";

// Endpoints that answer, leave or stop reading while the request's body is still being written.

nothingEscapes();

const URL = "http://reviews/upload";
const CHUNK = Buffer.alloc(64 * 1024, "x");
const REFUSAL = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\nconnection: close\r\n\r\ntoo large";
/** More than all buffers on loopback take. */
const CHUNKS = 400;

/** A body that never ends by itself before it was asked for all of it; notes how it ended. */
function upload(chunks = CHUNKS) {
  const state = { given: 0, isClosed: false };
  async function* body(): AsyncGenerator<Uint8Array> {
    try {
      for (; state.given < chunks; state.given++) {
        yield CHUNK;
        // A source that always has more would leave nobody else a turn.
        await turns(1);
      }
    } finally {
      state.isClosed = true;
    }
  }
  return { state, body: body() };
}

interface Sent {
  readonly status: number | null;
  readonly body: string;
  readonly code: string | undefined;
}

type Send = (mesh: JoinedMesh, body: AsyncIterable<Uint8Array>) => Promise<{ status: number; text(): Promise<string> }>;

const SENDERS: readonly { readonly name: string; readonly open: Send }[] = [
  { name: "mesh.request", open: (mesh, body) => mesh.request(URL, { method: "POST", body }) },
  {
    name: "mesh.fetch",
    open: (mesh, body) => mesh.fetch(URL, { method: "POST", body: ReadableStream.from(body), duplex: "half" } as RequestInit),
  },
  {
    name: "mesh.dispatcher",
    async open(mesh, body) {
      const answer = await undici.request(URL, { dispatcher: mesh.dispatcher, method: "POST", body: body as never });
      return { status: answer.statusCode, text: () => answer.body.text() };
    },
  },
];

async function send({ open }: (typeof SENDERS)[number], mesh: JoinedMesh, body: AsyncIterable<Uint8Array>): Promise<Sent> {
  try {
    const answer = await open(mesh, body);
    return { status: answer.status, body: await answer.text(), code: undefined };
  } catch (error) {
    return { status: null, body: "", code: meshError(error)?.code ?? String(error) };
  }
}

async function meet(sender: (typeof SENDERS)[number], script: Script, expected: Partial<Sent>, failures: number): Promise<void> {
  const endpoint = await endpointOf();
  const mesh = await join([endpoint], { retry: { maxRetries: 2, methods: ["GET"] }, timeout: "5s" });
  endpoint.next(script);
  const { state, body } = upload();
  expect(await send(sender, mesh, body)).toMatchObject(expected);
  await until(() => state.isClosed);
  expectLetGo(sender, state.given);
  await atRest(mesh);
  expect(inspected(mesh)[0]).toMatchObject({ requests: 1, failures });
  expect(endpoint.connections).toBe(1);
  const reply = await mesh.request("http://reviews/");
  expect(await reply.text()).toBe("well");
  await closes(mesh, [endpoint]);
}

/** undici's fetch, where it is cancelled while it reads a chunk, reads all that follow before it lets go. */
function expectLetGo({ name }: (typeof SENDERS)[number], given: number): void {
  if (name !== "mesh.fetch") expect(given).toBeLessThan(CHUNKS);
}

/** Reads the head and what comes with it, and no more. */
async function stopReading(connection: RawConnection): Promise<void> {
  await connection.head();
  connection.socket.pause();
}

describe.each(SENDERS)("through $name", (sender) => {
  test("an early refusal is the answer, and the body is let go", () =>
    meet(
      sender,
      async (connection) => {
        await connection.head();
        await connection.write(REFUSAL);
      },
      { status: 413, body: "too large" },
      0,
    ));

  test("an early refusal on a connection that is to be kept is the answer, and that connection is not used again", () =>
    meet(
      sender,
      async (connection) => {
        await connection.head();
        await connection.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\n\r\ntoo large");
      },
      { status: 413, body: "too large" },
      0,
    ));

  test("an endpoint that ends its side in the middle of a body is a broken connection", () =>
    meet(
      sender,
      async (connection) => {
        await connection.head();
        connection.end();
      },
      { code: "connection_reset" },
      1,
    ));

  test("an endpoint that resets in the middle of a body is a broken connection", () =>
    meet(
      sender,
      async (connection) => {
        await connection.head();
        connection.reset();
      },
      { code: "connection_reset" },
      1,
    ));

  test("an endpoint that stops reading a body is left after the deadline", async () => {
    const endpoint = await endpointOf();
    const mesh = await join([endpoint], { timeout: 400 });
    endpoint.next(stopReading);
    const { state, body } = upload();
    expect(await send(sender, mesh, body)).toMatchObject({ code: "deadline_exceeded" });
    await until(() => state.isClosed);
    expectLetGo(sender, state.given);
    await atRest(mesh);
    await closes(mesh, [endpoint]);
  });

  test("an endpoint that answers and goes on reading gets the whole body", async () => {
    const endpoint = await endpointOf();
    const mesh = await join([endpoint], { timeout: "5s" });
    endpoint.next(async (connection) => {
      await connection.head();
      await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwe");
      await connection.request();
      await connection.write("ll");
    });
    const { state, body } = upload(20);
    expect(await send(sender, mesh, body)).toMatchObject({ status: 200, body: "well" });
    await until(() => state.isClosed);
    expect(endpoint.requests[0]?.body.length).toBe(20 * CHUNK.length);
    await atRest(mesh);
    await closes(mesh, [endpoint]);
  });
});

describe("through mesh.agent", () => {
  test("an early refusal is the answer, and the endpoint's load ends with it", async () => {
    const endpoint = await endpointOf();
    const mesh = await join([endpoint], { timeout: "5s" });
    endpoint.next(async (connection) => {
      await connection.head();
      await connection.write(REFUSAL);
    });
    const { promise, resolve, reject } = Promise.withResolvers<http.IncomingMessage>();
    const request = http.request(URL, { agent: mesh.agent(), method: "POST" }, resolve).on("error", reject);
    for (let chunk = 0; chunk < 50; chunk++) request.write(CHUNK);
    const message = await promise;
    expect(message.statusCode).toBe(413);
    message.resume();
    await new Promise((done) => message.on("end", done));
    request.destroy();
    await atRest(mesh);
    await closes(mesh, [endpoint]);
  });
});
