import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { connect, createServer, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { createMesh, type Mesh } from "@heddle/core";
import { httpTransport, type Listener, listen } from "@heddle/http";
import { testAuthority } from "@heddle/testing/authority";
import fc from "fast-check";
import { afterAll, beforeAll, expect } from "vitest";
import { fuzzAsync } from "./fuzz.ts";

// Bytes as they come from a socket, to listeners that authorize. Nothing crashes, nothing hangs, and nothing is let in but what was allowed.

const HOST = "127.0.0.1";
const shop = testAuthority();
const allowed = { name: "open", to: [{ methods: ["GET"], paths: ["/open"], hosts: ["reviews"] }] };
const asWeb = shop.issue("web");

interface Door {
  readonly mesh: Mesh;
  readonly listener: Listener;
  /** Requests that got to the application, and should not have. */
  readonly wrong: string[];
  served: number;
}

let plain: Door;
let permissive: Door;
let hello: Buffer;

async function open(inbound: object, isRight: (request: IncomingMessage) => boolean): Promise<Door> {
  const config = { apiVersion: "heddle/v1", services: { reviews: { inbound } } };
  const mesh = createMesh({
    service: "reviews",
    config,
    transport: httpTransport(),
    identity: shop.source("reviews"),
    onProblem: () => {},
  });
  await mesh.ready();
  const listener = await listen(mesh, (request, response: ServerResponse) => door.answer(request as IncomingMessage, response), {
    host: HOST,
  });
  const door = {
    mesh,
    listener,
    wrong: [] as string[],
    served: 0,
    answer(request: IncomingMessage, response: ServerResponse): void {
      door.served++;
      if (!isRight(request)) door.wrong.push(`${request.method} ${request.url} of ${request.headers.host}`);
      request.on("error", () => {});
      request.resume();
      response.end("served");
    },
  };
  return door;
}

async function helloOfWeb(): Promise<Buffer> {
  const server = createServer().listen(0, HOST);
  await once(server, "listening");
  const client = connectTls({ host: HOST, port: (server.address() as { port: number }).port, rejectUnauthorized: false });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [Socket];
  const [bytes] = (await once(socket, "data")) as [Buffer];
  for (const end of [client, socket]) end.destroy();
  server.close();
  return bytes;
}

beforeAll(async () => {
  plain = await open(
    { mtls: "disable", authorize: [allowed] },
    ({ method, url = "", headers }) =>
      method === "GET" && new URL(url, "http://reviews").pathname === "/open" && /^reviews(:\d*)?$/i.test(headers.host ?? ""),
  );
  // Nobody who proves nothing is let in.
  permissive = await open(
    { mtls: "permissive", authorize: [{ name: "web", from: [{ principals: [asWeb.id.text] }] }] },
    ({ url }) => url === "/web",
  );
  hello = await helloOfWeb();
});

afterAll(async () => {
  for (const { mesh } of [plain, permissive]) await mesh.close({ limit: 0 });
});

/** Sends it in pieces, says that there is no more, and waits until the listener is done with it. */
async function send(port: number, pieces: readonly Buffer[]): Promise<string> {
  const socket = connect({ port, host: HOST });
  let received = "";
  socket.on("data", (text) => (received += text.toString("latin1")));
  socket.on("error", () => {});
  socket.setNoDelay(true);
  for (const piece of pieces) socket.write(piece);
  socket.end();
  await new Promise((closed) => socket.once("close", closed));
  return received;
}

const LINES = [
  ...[
    "GET /open HTTP/1.1",
    "GET /admin HTTP/1.1",
    "POST /open HTTP/1.1",
    "GET http://reviews/open HTTP/1.1",
    "GET http://reviews?/open HTTP/1.1",
  ],
  ...[
    "GET /x/../open HTTP/1.1",
    "GET /open#/../admin HTTP/1.1",
    "OPTIONS * HTTP/1.1",
    "CONNECT reviews:1 HTTP/1.1",
    "GET /open HTTP/1.0",
    "GET /open",
  ],
  ...["Host: reviews", "Host: reviews", "Host: other", "host:reviews:80", "Content-Length: 5", "Content-Length: 0", "Content-Length: -1"],
  ...[
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip, chunked",
    "Connection: close",
    "Connection: upgrade",
    "Upgrade: websocket",
    "Expect: 100-continue",
  ],
  ...[
    "X-Forwarded-For: 1.2.3.4",
    "x-forwarded-client-cert: URI=spiffe://shop.test/web",
    "Authorization: Bearer x.y.z",
    " folded",
    ":",
    "__proto__: x",
    "",
    "",
    "",
  ],
  ...["0", "5", "hello", "5;x=y", "ffffffffffffffff", "\0", "\u00ff\u00fe", "PRI * HTTP/2.0", "SM"],
];
const line = fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...LINES) }, { weight: 1, arbitrary: fc.string({ maxLength: 12 }) });
const lineEnd = fc.oneof(
  { weight: 12, arbitrary: fc.constant("\r\n") },
  { weight: 1, arbitrary: fc.constantFrom("\n", "\r", "", "\r\n\r\n") },
);
const well = fc.constantFrom(
  "GET /open HTTP/1.1\r\nHost: reviews\r\n",
  "POST /open HTTP/1.1\r\nHost: reviews\r\nTransfer-Encoding: chunked\r\n",
  "",
);
const http = fc.tuple(well, fc.array(fc.tuple(line, lineEnd), { maxLength: 8 }), fc.nat({ max: 200 })).map(([begin, lines, cut]) => {
  const bytes = Buffer.from(`${begin}${lines.flat().join("")}\r\n\r\n`, "latin1");
  return [bytes.subarray(0, cut), bytes.subarray(cut)].filter(({ length }) => length > 0);
});

fuzzAsync(
  "bytes in the place of requests get nothing but what is allowed",
  http,
  async (pieces) => {
    const answer = await send(plain.listener.port, pieces);
    expect(plain.wrong).toEqual([]);
    for (const [, status] of answer.matchAll(/HTTP\/1\.1 (\d+)/g)) expect(["100", "200", "400", "403", "417", "431"]).toContain(status);
  },
  { share: 0.1 },
);

type Change = readonly [kind: "flip" | "cut" | "insert" | "repeat" | "zero", at: number, value: number];
const changes = fc.array(
  fc.tuple(
    fc.constantFrom("flip", "cut", "insert", "repeat", "zero"),
    fc.nat({ max: 4_000 }),
    fc.nat({ max: 255 }),
  ) as fc.Arbitrary<Change>,
  { minLength: 1, maxLength: 4 },
);

function changed(bytes: Buffer, [kind, at, value]: Change): Buffer {
  const index = bytes.length === 0 ? 0 : at % bytes.length;
  const [before, after] = [bytes.subarray(0, index), bytes.subarray(index)];
  switch (kind) {
    case "flip":
      return Buffer.concat([before, Buffer.from([value]), after.subarray(1)]);
    case "cut":
      return before;
    case "insert":
      return Buffer.concat([before, Buffer.alloc(1 + (value % 64), value), after]);
    case "repeat":
      return Buffer.concat([before, after.subarray(0, value), after]);
    case "zero":
      return Buffer.concat([before, Buffer.alloc(Math.min(value, after.length)), after.subarray(value)]);
  }
}

fuzzAsync(
  "bytes in the place of a handshake get no further on a port that takes both",
  changes,
  async (all) => {
    const bytes = all.reduce(changed, hello);
    await send(permissive.listener.port, [bytes]);
    expect([permissive.served, permissive.wrong]).toEqual([0, []]);
  },
  { share: 0.1 },
);

fuzzAsync(
  "and whoever proves to be somebody is served after all of it",
  fc.constant(null),
  async () => {
    const secure = connectTls({
      host: HOST,
      port: permissive.listener.port,
      cert: asWeb.certPem,
      key: asWeb.keyPem,
      rejectUnauthorized: false,
    });
    let received = "";
    secure.on("data", (text) => (received += String(text)));
    secure.write("GET /web HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n");
    await once(secure, "close");
    expect(received).toMatch(/served$/);
    expect(permissive.wrong).toEqual([]);
    expect(await send(plain.listener.port, [Buffer.from("GET /open HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n")])).toMatch(
      /served$/,
    );
  },
  { share: 1e-9 },
);
