import { once } from "node:events";
import http from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import fc from "fast-check";
import { type JoinedMesh, joinMesh } from "heddle";
import { afterAll, beforeAll, expect } from "vitest";
import { fuzzAsync } from "./fuzz.ts";
import { HOSTILE_NAMES } from "./hostile.ts";

// What a caller gives reaches the wire as one field of one request, or the request is refused: read byte by byte on a raw socket.

const heads: string[] = [];
let mesh: JoinedMesh;
const sockets = new Set<Socket>();
const server = createServer((socket) => {
  sockets.add(socket);
  let received = "";
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1");
    for (let end = received.indexOf("\r\n\r\n"); end >= 0; end = received.indexOf("\r\n\r\n")) {
      heads.push(received.slice(0, end));
      received = received.slice(end + 4);
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n__proto__: a\r\nconstructor: b\r\n\r\n");
    }
  });
});

beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  mesh = await joinMesh({ config: { apiVersion: "heddle/v1", services: { reviews: { endpoints: [{ address }] } } }, accessLog: false });
});

let sent = 0;
let refused = 0;

afterAll(async () => {
  expect(Math.min(sent, refused), `${sent} sent, ${refused} refused: both must be looked at`).toBeGreaterThan((sent + refused) / 10);
  await mesh.close({ limit: 0 });
  for (const socket of sockets) socket.destroy();
  server.close();
});

interface Wanted {
  readonly name: string;
  readonly value: string | readonly string[];
  readonly method: string;
  readonly path: string;
}

const nodeRequest = (wanted: Wanted): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const { name, value, method, path } = wanted;
    const client = http.request({
      agent: mesh.agent(),
      host: "reviews",
      method,
      path,
      headers: { [name]: typeof value === "string" ? value : [...value] },
    });
    client.on("error", reject);
    client.on("response", (response) => response.resume().on("end", resolve));
    client.end();
  });

const DOORS: readonly ((wanted: Wanted) => Promise<unknown>)[] = [
  async ({ name, value, method, path }) => (await mesh.request(`http://reviews${path}`, { method, headers: [[name, value]] })).text(),
  async ({ name, value, method, path }) =>
    (await mesh.request(`http://reviews${path}`, { method, headers: new Map([[name, value]]) })).text(),
  async ({ name, value, path }) =>
    mesh
      .service("reviews")
      .get(path, { headers: { [name]: typeof value === "string" ? value : [...value] } })
      .text(),
  async ({ name, value, method, path }) =>
    (
      await mesh.dispatcher.request({
        origin: "http://reviews",
        path,
        method: method as "GET",
        headers: { [name]: typeof value === "string" ? value : [...value] },
      })
    ).body.text(),
  async ({ name, value, method, path }) => (await mesh.fetch(`http://reviews${path}`, { method, headers: [[name, String(value)]] })).text(),
  nodeRequest,
];

const INJECTED = "x-injected: yes";
const illegal = fc.constantFrom(
  "\r\n",
  "\n",
  "\r",
  "\0",
  "\u000b",
  "\u2028",
  "\u0100",
  "\r\n\r\nGET /second HTTP/1.1\r\nhost: x\r\n",
  "\u560d\u560a",
);
const name = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("x-a", ...HOSTILE_NAMES) },
  { weight: 1, arbitrary: illegal.map((bytes) => `x-a${bytes}${INJECTED}`) },
);
const text = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom("plain", "\u00e9", "a\tb", "") },
  { weight: 2, arbitrary: illegal.map((bytes) => `plain${bytes}${INJECTED}`) },
);
const wanted: fc.Arbitrary<Wanted> = fc.record({
  name,
  value: fc.oneof({ weight: 3, arbitrary: text }, { weight: 1, arbitrary: fc.array(text, { minLength: 1, maxLength: 2 }) }),
  method: fc.oneof(
    { weight: 6, arbitrary: fc.constant("GET") },
    { weight: 1, arbitrary: illegal.map((bytes) => `GET / HTTP/1.1${bytes}${INJECTED}`) },
  ),
  path: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom("/", "/a?b=c") },
    { weight: 1, arbitrary: illegal.map((bytes) => `/ HTTP/1.1${bytes}${INJECTED}`) },
  ),
});

fuzzAsync(
  "what reaches the wire is one request with the fields it was given, or nothing",
  fc.tuple(fc.nat(DOORS.length - 1), wanted),
  async ([door, given]) => {
    heads.length = 0;
    try {
      await (DOORS[door] as (typeof DOORS)[number])(given);
      sent++;
    } catch {
      refused++;
      if (heads.length > 0) throw new Error(`it was refused, and yet sent: ${JSON.stringify(heads)}`);
      const failed = mesh
        .inspect()
        .backends.flatMap(({ endpoints }) => endpoints)
        .filter(({ failures }) => failures > 0);
      if (failed.length > 0) throw new Error("a mistake of the caller counts as a failure of the endpoint");
      return;
    }
    const [head = "", ...more] = heads;
    const lines = head.split("\r\n");
    const field = `${given.name.toLowerCase()}: `;
    const fields = lines.slice(1).filter((line) => line.toLowerCase().startsWith(field));
    const isIntact = !/[\r\n\0]/.test(lines.join("")) && !lines.some((line) => line.toLowerCase().startsWith("x-injected"));
    if (more.length > 0 || !isIntact || fields.length < 1) throw new Error(`sent ${JSON.stringify(heads)}`);
  },
  { share: 0.1 },
);
