import { once } from "node:events";
import http, { type IncomingMessage } from "node:http";
import { type Duplex, Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import undici, { type Dispatcher } from "undici";
import { expect, test } from "vitest";
import { inFlight, join, pause, serve, serveEcho } from "./setup.ts";

const MEBIBYTE = 1024 * 1024;
const TOTAL = 100 * MEBIBYTE;
/** What 100 MB held in memory would exceed by far; a few are held. */
const BOUND = 20 * MEBIBYTE;

/** What a busy machine may take. */
const SLOW = { timeout: 120_000 };

/** Sends 100 MB to whoever asks, and counts what it is sent. */
async function large() {
  const counted = { received: 0 };
  const served = await serve((request, response) => {
    if (request.method === "GET") {
      response.writeHead(200, { "content-length": TOTAL });
      Readable.from(chunks()).pipe(response);
      return;
    }
    counted.received = 0;
    request.on("data", (chunk: Buffer) => {
      counted.received += chunk.length;
    });
    request.on("end", () => response.end(String(counted.received)));
  });
  return { ...served, counted };
}

async function* chunks(): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(MEBIBYTE, "x");
  for (let sent = 0; sent < TOTAL; sent += MEBIBYTE) yield chunk;
}

class Counter extends Writable {
  bytes = 0;
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.bytes += chunk.length;
    done();
  }
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** The most that was held while `run` ran, garbage aside: heap and buffers, which are what a body would fill. */
async function growth(run: () => Promise<void>): Promise<number> {
  const held = () => {
    // Twice: buffers that a collection found dead are freed beside it, and only sure to be gone when the next one begins.
    collect();
    collect();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = held();
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, held());
  }, 100);
  try {
    await run();
  } finally {
    clearInterval(watch);
  }
  return most - before;
}

test("100 MB come down in constant memory, by every door that streams", SLOW, async () => {
  const server = await large();
  const mesh = await join([server.address]);
  const { dispatcher } = mesh;
  const ways: Record<string, () => Promise<Readable>> = {
    request: async () => (await undici.request("http://reviews/", { dispatcher })).body,
    fetch: async () => Readable.fromWeb((await mesh.fetch("http://reviews/")).body as never),
    "mesh.request": async () => Readable.fromWeb((await mesh.request("http://reviews/")).stream() as never),
  };
  for (const [name, open] of Object.entries(ways)) {
    const counter = new Counter();
    const grown = await growth(async () => pipeline(await open(), counter));
    expect(counter.bytes, name).toBe(TOTAL);
    expect(grown, name).toBeLessThan(BOUND);
  }
  await expect.poll(() => inFlight(mesh)).toBe(0);
});

test("100 MB go up in constant memory, by every door that streams", SLOW, async () => {
  const server = await large();
  const mesh = await join([server.address], { reviews: { retry: {} } });
  const { dispatcher } = mesh;
  const ways: Record<string, () => Promise<string>> = {
    request: async () =>
      (await undici.request("http://reviews/", { dispatcher, method: "POST", body: Readable.from(chunks()) })).body.text(),
    fetch: async () =>
      (
        await mesh.fetch("http://reviews/", {
          method: "POST",
          body: Readable.toWeb(Readable.from(chunks())) as never,
          duplex: "half",
        } as RequestInit)
      ).text(),
    "mesh.request": async () => (await mesh.request("http://reviews/", { method: "PUT", body: chunks() })).text(),
  };
  for (const [name, send] of Object.entries(ways)) {
    let answer = "";
    const grown = await growth(async () => {
      answer = await send();
    });
    expect(answer, name).toBe(String(TOTAL));
    expect(grown, name).toBeLessThan(BOUND);
  }
});

test("undici.stream and undici.pipeline", SLOW, async () => {
  const server = await large();
  const mesh = await join([server.address]);
  const { dispatcher } = mesh;
  const counter = new Counter();
  await undici.stream("http://reviews/", { dispatcher, method: "GET", opaque: counter }, ({ statusCode, opaque }) => {
    expect(statusCode).toBe(200);
    return opaque as Counter;
  });
  expect(counter.bytes).toBe(TOTAL);
  const answered: Buffer[] = [];
  await pipeline(
    Readable.from(chunks()),
    undici.pipeline("http://reviews/", { dispatcher, method: "POST" } as unknown as Dispatcher.PipelineOptions, ({ body }) => body),
    async (source) => {
      for await (const chunk of source) answered.push(chunk as Buffer);
    },
  );
  expect(Buffer.concat(answered).toString()).toBe(String(TOTAL));
  await expect.poll(() => inFlight(mesh)).toBe(0);
});

test("a reader that stops holds the server back", async () => {
  let sent = 0;
  const server = await serve((_request, response) => {
    async function* counted(): AsyncGenerator<Buffer> {
      for await (const chunk of chunks()) {
        sent += chunk.length;
        yield chunk;
      }
    }
    Readable.from(counted()).pipe(response);
  });
  const mesh = await join([server.address]);
  const { body } = await undici.request("http://reviews/", { dispatcher: mesh.dispatcher });
  await pause(300);
  const held = sent;
  await pause(200);
  expect(sent).toBe(held);
  expect(held).toBeLessThan(TOTAL / 2);
  body.destroy();
  body.on("error", () => {});
  await expect.poll(() => inFlight(mesh)).toBe(0);
});

test("server-sent events live past the total of `timeout: 1s`, by every door", async () => {
  const server = await serve((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    let count = 0;
    const tick = setInterval(() => {
      response.write(`data: ${count++}\n\n`);
      if (count === 5) {
        clearInterval(tick);
        response.end();
      }
    }, 400);
  });
  const mesh = await join([server.address], { reviews: { timeout: "1s" } });
  const texts = await Promise.all([
    mesh.request("http://reviews/").then((reply) => reply.text()),
    mesh.fetch("http://reviews/").then((response) => response.text()),
    undici.request("http://reviews/", { dispatcher: mesh.dispatcher }).then(({ body }) => body.text()),
  ]);
  for (const text of texts) expect(text).toContain("data: 4");
});

/** Each quiet spell of what follows is a third of `idle`, and the whole is three times as long. */
const IDLE = { timeout: { head: "1s", idle: "300ms" } };
const SPELL_MS = 100;
const SPELLS = 10;

test("server-sent events that keep coming live past `timeout.idle` through node:http", async () => {
  const server = await serve(async (_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (let count = 0; count < SPELLS; count++) {
      await pause(SPELL_MS);
      response.write(`data: ${count}\n\n`);
    }
    response.end();
  });
  const mesh = await join([server.address], { reviews: IDLE });
  const request = http.get("http://reviews/", { agent: mesh.agent() });
  const [message] = (await once(request, "response")) as [IncomingMessage];
  expect(await text(message)).toContain(`data: ${SPELLS - 1}`);
  await expect.poll(() => inFlight(mesh)).toBe(0);
});

test("a pipe that keeps talking lives past `timeout.idle`, by dispatcher and by agent", async () => {
  const server = await serveEcho();
  const mesh = await join([server.address], { reviews: IDLE });
  const { socket } = await undici.upgrade("http://reviews/", { dispatcher: mesh.dispatcher, protocol: "echo" });
  const request = http.get("http://reviews/", { agent: mesh.agent(), headers: { connection: "upgrade", upgrade: "echo" } });
  const [, agents] = (await once(request, "upgrade")) as [IncomingMessage, Duplex];
  for (let count = 0; count < SPELLS; count++) {
    await pause(SPELL_MS);
    for (const pipe of [socket, agents]) {
      const heard = once(pipe, "data");
      pipe.write(`word ${count}`);
      expect(String((await heard)[0])).toBe(`word ${count}`);
    }
  }
  for (const pipe of [socket, agents]) pipe.destroy();
  await expect.poll(() => inFlight(mesh)).toBe(0);
});
