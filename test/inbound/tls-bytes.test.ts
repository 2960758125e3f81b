import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls, createSecureContext, type TLSSocket } from "node:tls";
import { listen } from "@heddle/http";
import { afterEach, describe, expect, test } from "vitest";
import { leafNow, rootNow } from "../../packages/core/test/workload.ts";
import { get, type RawClient, rawClient, rawClientOver } from "./raw-client.ts";
import { asNobody, asWeb, type SecureMesh, secureClient, secureMesh, WEB } from "./secure-mesh.ts";

const TEN_MEGABYTES = 10 * 1024 * 1024;

const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

async function permissive(
  application: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ readonly mesh: SecureMesh; readonly port: number }> {
  const mesh = secureMesh("permissive");
  closings.push(() => mesh.close());
  const { port } = await listen(mesh, application, { host: "127.0.0.1" });
  return { mesh, port };
}

/** Hands on what comes, one byte a write, and waits for each to be on its way. */
async function byteAtATime(port: number): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((near) => {
    const far = connectTcp(port, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.setNoDelay(true);
    }
    far.pipe(near);
    near.on("close", () => far.destroy());
    void (async () => {
      for await (const chunk of near) {
        for (const byte of chunk as Buffer) {
          await new Promise((written) => far.write(Buffer.of(byte), written));
          await new Promise((turn) => setImmediate(turn));
        }
      }
      far.end();
    })().catch(() => far.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closings.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((closed) => server.close(closed));
  });
  return (server.address() as AddressInfo).port;
}

type Connect = (port: number) => Promise<RawClient>;
const kinds: readonly (readonly [string, Connect])[] = [
  ["plain text", rawClient],
  ["TLS", secureClient],
];

describe.each(kinds)("over %s, on a permissive port", (_kind, connect) => {
  test("a request that comes a byte at a time is served, and so is the next", async () => {
    const { port } = await permissive((request, response) => response.end(`path ${request.url}.`));
    const client = await connect(await byteAtATime(port));
    client.write(get("/one"));
    await client.until("path /one.");
    client.write(get("/two"));
    await client.until("path /two.");
    client.socket.destroy();
  });

  test("10 MB go in and come out whole", async () => {
    const { port } = await permissive((request, response) => request.pipe(response));
    const client = await connect(port);
    const sent = Buffer.alloc(TEN_MEGABYTES, "0123456789abcdef");
    client.write(`POST / HTTP/1.1\r\nhost: reviews\r\ncontent-length: ${sent.length}\r\nconnection: close\r\n\r\n`);
    client.socket.write(sent);
    const answer = await client.ended();
    const body = answer.slice(answer.indexOf("\r\n\r\n") + 4);
    expect(body.length).toBeGreaterThan(TEN_MEGABYTES);
    expect(unchunked(body)).toBe(sent.toString("latin1"));
  });

  test("requests that came together are answered in order", async () => {
    const { port } = await permissive((request, response) => response.end(`<${request.url}>`));
    const client = await connect(port);
    client.write([1, 2, 3, 4, 5].map((number) => get(`/${number}`)).join(""));
    expect((await client.until("</5>")).match(/<\/\d>/g)).toEqual(["</1>", "</2>", "</3>", "</4>", "</5>"]);
    client.socket.destroy();
  });

  test("a body is not asked for before the request is let in", async () => {
    const { port } = await permissive((request, response) => request.pipe(response));
    const client = await connect(port);
    client.write("POST / HTTP/1.1\r\nhost: reviews\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n");
    await client.until("HTTP/1.1 100 Continue");
    client.write("hello");
    expect(await client.until("hello")).toMatch(/HTTP\/1\.1 200 OK/);
    client.socket.destroy();
  });

  test("a caller that ends its side with its request is treated as by node:http alone", async () => {
    const answers: string[] = [];
    for (const mode of ["permissive", "disable"] as const) {
      const mesh = secureMesh(mode);
      closings.push(() => mesh.close());
      const { port } = await listen(mesh, (_request, response) => response.end("hello"), { host: "127.0.0.1" });
      const client = await (mode === "disable" ? rawClient(port) : connect(port));
      client.socket.end(get("/"));
      answers.push((await client.ended()).split("\r\n", 1)[0] ?? "");
    }
    expect(answers[0]).toBe(answers[1]);
  });

  test("garbage in place of a request is answered 400 and closed", async () => {
    const { mesh, port } = await permissive((_request, response) => response.end());
    const client = await connect(port);
    client.write("\0\x01garbage\r\n\r\n");
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 400 /);
    expect(mesh.runs).toBe(0);
  });
});

function unchunked(body: string): string {
  let text = "";
  for (let at = 0; ; ) {
    const end = body.indexOf("\r\n", at);
    const length = Number.parseInt(body.slice(at, end), 16);
    if (!(length > 0)) return text;
    text += body.slice(end + 2, end + 2 + length);
    at = end + 2 + length + 2;
  }
}

describe("after the handshake", () => {
  const version = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;

  async function served(mesh: SecureMesh, options: ConnectionOptions): Promise<{ readonly raw: Socket; readonly secure: TLSSocket }> {
    closings.push(() => mesh.close());
    const { port, server } = await listen(mesh, (_request, response) => response.end("hello"), { host: "127.0.0.1" });
    // What is to end the connection must not be that nothing came for a while.
    server.keepAliveTimeout = 0;
    const raw = connectTcp(port, "127.0.0.1");
    const secure = connectTls({ ...options, socket: raw });
    secure.on("error", () => {});
    const client = rawClientOver(secure);
    client.write(get("/"));
    await client.until("hello");
    return { raw, secure };
  }

  // A TLSSocket of one's own stays open on these, unless it is told.
  test.each(["TLSv1.2", "TLSv1.3"] as const)("records that cannot be read end the connection (%s)", async (only) => {
    const { raw } = await served(secureMesh("strict"), { ...asWeb(), minVersion: only, maxVersion: only });
    raw.write(Buffer.concat([Buffer.from("1703030020", "hex"), Buffer.alloc(32)]));
    raw.resume();
    await once(raw, "close");
  });

  test("a second handshake, which could bring another certificate, ends the connection, though OpenSSL would have it", async () => {
    const { pem: cert, keyPem: key } = leafNow(rootNow("any"), WEB);
    const secureContext = createSecureContext({ cert, key });
    const tls = { socketOptions: () => ({ secureContext }), verify: () => ({ peer: null, isCurrent: () => true }) };
    const { secure } = await served(secureMesh("permissive", { tls }), { ...asNobody, ...version });
    secure.renegotiate({ rejectUnauthorized: false }, () => {});
    if (!secure.destroyed) await once(secure, "close");
  });
});
