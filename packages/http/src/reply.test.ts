import { expect, test } from "vitest";
import { meshOf, serve } from "../test/front-doors.ts";
import { meshRequest } from "./request.ts";

const LARGE = 20 * 1024 * 1024;

test("reads bytes, text without a byte order mark, and JSON", async () => {
  const server = await serve((_request, response) => response.end('\uFEFF"gr\u00fcn"'));
  const request = meshRequest(await meshOf([server.address]));
  expect(Buffer.from(await (await request("http://reviews/")).bytes()).toString()).toBe('\uFEFF"gr\u00fcn"');
  expect(await (await request("http://reviews/")).text()).toBe('"gr\u00fcn"');
  expect(await (await request("http://reviews/")).json()).toBe("gr\u00fcn");
});

test("an empty body is empty bytes and text, and not JSON", async () => {
  const server = await serve((_request, response) => response.writeHead(204).end());
  const request = meshRequest(await meshOf([server.address]));
  expect((await (await request("http://reviews/")).bytes()).length).toBe(0);
  expect(await (await request("http://reviews/")).text()).toBe("");
  await expect((await request("http://reviews/")).json()).rejects.toBeInstanceOf(SyntaxError);
});

test("a body can be read once", async () => {
  const server = await serve((_request, response) => response.end("once"));
  const reply = await meshRequest(await meshOf([server.address]))("http://reviews/");
  await reply.text();
  await expect(reply.text()).rejects.toBeInstanceOf(TypeError);
});

test("streams 20 MB both ways, and the sender waits for a slow reader", async () => {
  let written = 0;
  const server = await serve(async (request, response) => {
    let received = 0;
    for await (const chunk of request) received += (chunk as Buffer).length;
    response.writeHead(200, { "x-received": received });
    const chunk = Buffer.alloc(256 * 1024, 1);
    while (written < LARGE) {
      written += chunk.length;
      if (!response.write(chunk)) await new Promise((resolve) => response.once("drain", resolve));
    }
    response.end();
  });
  const request = meshRequest(await meshOf([server.address]));
  const body = (async function* () {
    for (let sent = 0; sent < LARGE; sent += 1024 * 1024) yield Buffer.alloc(1024 * 1024, 1);
  })();
  const reply = await request("http://reviews/", { method: "PUT", body });
  expect(reply.headers["x-received"]).toBe(String(LARGE));
  const stream = reply.stream();
  const reader = stream.getReader();
  const first = await reader.read();
  // The reader stops: what the sockets and buffers hold is written, the rest is not.
  let before = -1;
  await expect
    .poll(
      () => {
        const settled = written === before;
        before = written;
        return settled;
      },
      { interval: 100 },
    )
    .toBe(true);
  expect(written).toBeLessThan(LARGE);
  let read = first.value?.length ?? 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) read += next.value.length;
  expect(read).toBe(LARGE);
});

test("cancelling the stream gives the exchange up", async () => {
  let isClosed = false;
  const server = await serve((_request, response) => {
    response.on("close", () => {
      isClosed = true;
    });
    response.write("part");
  });
  const reply = await meshRequest(await meshOf([server.address]))("http://reviews/");
  await reply.stream().cancel();
  await expect.poll(() => isClosed).toBe(true);
});

test("trailers come with the end of the body, read or not", async () => {
  const server = await serve((_request, response) => {
    response.writeHead(200, { trailer: "x-checksum" });
    response.write("body");
    response.addTrailers({ "x-checksum": "7" });
    response.end();
  });
  const request = meshRequest(await meshOf([server.address]));
  expect(await (await request("http://reviews/")).trailers).toEqual({ "x-checksum": "7" });
  const reply = await request("http://reviews/");
  const { trailers } = reply;
  expect(await reply.text()).toBe("body");
  expect(await trailers).toEqual({ "x-checksum": "7" });
});

test("what is discarded leaves its connection usable when it is short, and is cut when it is long", async () => {
  const server = await serve((request, response) => response.end(Buffer.alloc(request.url === "/long" ? LARGE : 1_000)));
  const request = meshRequest(await meshOf([server.address], { limits: { maxConnections: 1 } }));
  for (let count = 0; count < 3; count++) await (await request("http://reviews/short")).discard();
  expect(server.connections()).toBe(1);
  await (await request("http://reviews/long")).discard();
  await (await request("http://reviews/short")).discard();
  expect(server.connections()).toBe(2);
});

test("leaving the scope of `await using` gives up what was not read", async () => {
  let isClosed = false;
  const server = await serve((_request, response) => {
    response.on("close", () => {
      isClosed = true;
    });
    response.write(Buffer.alloc(1024 * 1024));
  });
  const request = meshRequest(await meshOf([server.address]));
  {
    await using reply = await request("http://reviews/");
    expect(reply.status).toBe(200);
  }
  await expect.poll(() => isClosed).toBe(true);
});

test("a reply that nobody reads holds no request in flight", async () => {
  const server = await serve((_request, response) => response.end(Buffer.alloc(100_000)));
  const mesh = await meshOf([server.address]);
  const request = meshRequest(mesh);
  for (let count = 0; count < 5; count++) await request("http://reviews/");
  await expect.poll(() => mesh.inspect().backends[0]?.inFlight).toBe(0);
});
