import { once } from "node:events";
import { createServer } from "node:http";
import { createServer as createSecureServer, request as httpsRequest } from "node:https";
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from "node:net";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { meshMiddleware } from "@heddle/express-adapter";
import { type Application, attach, listen, serverFactory } from "@heddle/http";
import express from "express";
import { afterEach, describe, expect, test, vi } from "vitest";
import { MeshError } from "../../packages/core/src/errors.ts";
import { leafNow, rootNow } from "../../packages/core/test/workload.ts";
import { get, rawClient } from "./raw-client.ts";
import { asNobody, asWeb, REVIEWS, refusedHandshake, type SecureMesh, secureClient, secureMesh, stranger } from "./secure-mesh.ts";

const host = "127.0.0.1";
const ok: Application = (_request, response) => response.end("ok");

const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

function meshOf(...how: Parameters<typeof secureMesh>): SecureMesh {
  const mesh = secureMesh(...how);
  closings.push(() => mesh.close());
  return mesh;
}

describe("a connection that cannot be let in", () => {
  test("is closed and told where this process has no certificate, and plain text is served on", async () => {
    const noIdentity = () => {
      throw new MeshError("no_identity", "the certificate of reviews expired");
    };
    const mesh = meshOf("permissive", { tls: { socketOptions: noIdentity } });
    const { port } = await listen(mesh, ok, { host });
    await refusedHandshake(port, asWeb());
    expect(mesh.refusals).toEqual(["127.0.0.1: the certificate of reviews expired"]);
    const plain = await rawClient(port);
    plain.write(get("/"));
    await plain.until("ok");
    plain.socket.destroy();
  });

  test("is closed and told where nothing can be said of its peer", async () => {
    const verify = () => {
      throw new Error("no verdict");
    };
    const mesh = meshOf("strict", { tls: { verify } });
    const { port } = await listen(mesh, ok, { host });
    await refusedHandshake(port, asWeb());
    expect(mesh.refusals).toEqual(["127.0.0.1: no verdict"]);
    expect(mesh.runs).toBe(0);
  });

  test("has no request of its served, though the request comes along with the end of the handshake", async () => {
    const mesh = meshOf("strict");
    const { port } = await listen(mesh, ok, { host });
    const raw = connectTcp(port, host);
    const secure = connectTls({
      ...stranger.client([REVIEWS]).connectOptions("reviews"),
      socket: raw,
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    secure.on("error", () => {});
    let answer = "";
    secure.on("data", (chunk) => (answer += String(chunk)));
    raw.cork();
    secure.once("secureConnect", () => {
      secure.write(get("/"));
      raw.uncork();
    });
    secure.write(get("/"));
    await once(secure, "close");
    expect(answer).toBe("");
    expect(mesh.refusals).toHaveLength(1);
    expect(mesh.runs).toBe(0);
  });

  test("is told when both sides have no protocol in common", async () => {
    const mesh = meshOf("strict");
    const { port } = await listen(mesh, ok, { host });
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
    expect(await refusedHandshake(port, { ...asNobody, ...old })).toMatch(/ALERT/);
    expect(mesh.refusals).toEqual(["127.0.0.1: the handshake failed: unsupported protocol"]);
  });

  test("is told when it is no TLS after its first byte", async () => {
    const mesh = meshOf("permissive");
    const { port } = await listen(mesh, ok, { host });
    const client = await rawClient(port);
    client.write("\x16garbage that is no record of a handshake at all");
    await client.ended();
    expect(mesh.refusals).toEqual([expect.stringMatching(/^127\.0\.0\.1: the handshake failed: [\w ]+$/)]);
  });

  test("ends nothing but itself, at whichever byte of its handshake its caller leaves", async () => {
    const mesh = meshOf("strict");
    const { server, port } = await listen(mesh, ok, { host });
    const hello = await clientHello();
    for (let length = 0; length <= hello.length; length += 61) {
      for (const leave of ["end", "destroy", "resetAndDestroy"] as const) {
        const socket = connectTcp(port, host);
        socket.on("error", () => {});
        await once(socket, "connect");
        if (length > 0) await new Promise((written) => socket.write(hello.subarray(0, length), written));
        socket.resume();
        socket[leave]();
        await once(socket, "close");
      }
    }
    const count = () => new Promise((resolve) => server.getConnections((_error, connections) => resolve(connections)));
    await vi.waitFor(async () => expect(await count()).toBe(0), 10_000);
    const client = await secureClient(port);
    client.write(get("/"));
    await client.until("ok");
    client.socket.destroy();
    expect(mesh.refusals).toEqual([]);
  });
});

/** What a caller says first. */
async function clientHello(): Promise<Buffer> {
  const server = createTcpServer();
  server.listen(0, host);
  await once(server, "listening");
  const secure = connectTls({ ...asWeb(), host, port: (server.address() as AddressInfo).port });
  secure.on("error", () => {});
  const [near] = await once(server, "connection");
  const [hello] = await once(near, "data");
  secure.destroy();
  near.destroy();
  await new Promise((closed) => server.close(closed));
  return hello as Buffer;
}

describe("a server with TLS of its own", () => {
  const { pem: cert, keyPem: key } = leafNow(rootNow("of the application"), REVIEWS);

  async function ask(port: number): Promise<{ readonly status: number | undefined; readonly code: unknown }> {
    return new Promise((resolve, reject) => {
      const request = httpsRequest({ ...asNobody, host, port, agent: false }, (response) =>
        resolve({ status: response.resume().statusCode, code: response.headers["x-heddle-error"] }),
      );
      request.on("error", reject).end();
    });
  }

  test.each(["strict", "permissive"] as const)(
    "has its requests refused and reported once while the mesh is %s: whoever proves an identity would be nobody",
    async (mode) => {
      const mesh = meshOf(mode);
      const server = createSecureServer({ cert, key }, (_request, response) => response.end("ok"));
      attach(mesh, server);
      server.listen(0, host);
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      for (let round = 0; round < 2; round++) expect(await ask(port)).toEqual({ status: 403, code: "mtls_required" });
      expect(mesh.problems).toMatchObject([{ message: expect.stringMatching(/give mesh\.attach a plain node:http server/) }]);
      mesh.setMode("disable");
      expect(await ask(port)).toEqual({ status: 200, code: undefined });
    },
  );

  test("has its upgrades refused as well", async () => {
    const mesh = meshOf("permissive");
    const server = createSecureServer({ cert, key });
    let reached = 0;
    server.on("upgrade", () => reached++);
    attach(mesh, server);
    server.listen(0, host);
    await once(server, "listening");
    const client = await secureClient((server.address() as AddressInfo).port, asNobody);
    client.write(get("/chat", ["upgrade: websocket", "connection: upgrade"]));
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 403 .*mtls_required/s);
    expect(reached).toBe(0);
  });

  test("is not wanted of serverFactory either", async () => {
    const mesh = meshOf("permissive");
    const server = serverFactory(mesh)((_request, response) => response.end("ok"), { https: { cert, key } });
    server.listen(0, host);
    await once(server, "listening");
    expect(await ask((server.address() as AddressInfo).port)).toEqual({ status: 403, code: "mtls_required" });
  });

  test("is not to be had by handing its connections to an attached server either", async () => {
    const mesh = meshOf("permissive");
    const server = createServer((_request, response) => response.end("ok"));
    attach(mesh, server);
    const outer = createTlsServer({ cert, key }, (socket) => server.emit("connection", socket));
    outer.listen(0, host);
    await once(outer, "listening");
    expect(await ask((outer.address() as AddressInfo).port)).toEqual({ status: 403, code: "mtls_required" });
    expect(mesh.connections).toMatchObject([{ peer: null, isEncrypted: false }]);
    await new Promise((closed) => outer.close(closed));
  });

  test("proves nothing to a middleware alone: strict refuses it", async () => {
    const mesh = meshOf("strict");
    const app = express();
    app.use(meshMiddleware(mesh));
    const server = createSecureServer({ cert, key }, app);
    server.listen(0, host);
    await once(server, "listening");
    expect(await ask((server.address() as AddressInfo).port)).toEqual({ status: 403, code: "mtls_required" });
    expect(mesh.connections).toMatchObject([{ peer: null, isEncrypted: false }]);
    await new Promise((closed) => server.close(closed));
  });
});

test("with a middleware alone strict refuses what comes, and permissive takes it for nobody", async () => {
  const mesh = meshOf("strict");
  const app = express();
  app.use(meshMiddleware(mesh));
  app.get("/", (request, response) => void response.send(`peer ${request.mesh.peer}`));
  const server = createServer(app);
  server.listen(0, host);
  await once(server, "listening");
  const url = `http://${host}:${(server.address() as AddressInfo).port}/`;
  const refused = await fetch(url);
  expect([refused.status, refused.headers.get("x-heddle-error")]).toEqual([403, "mtls_required"]);
  mesh.setMode("permissive");
  expect(await (await fetch(url)).text()).toBe("peer undefined");
  expect(mesh.connections[1]).toMatchObject({ peer: null, isEncrypted: false, peerAddress: host, localAddress: host });
  await new Promise((closed) => server.close(closed));
});

test("a unix socket has no addresses", async () => {
  const mesh = meshOf("permissive");
  const server = createServer((_request, response) => response.end("ok"));
  attach(mesh, server);
  const path = `\0heddle-inbound-${process.pid}`;
  server.listen(path);
  await once(server, "listening");
  const secure = connectTls({ ...asWeb(), socket: connectTcp(path) });
  secure.write(get("/"));
  await once(secure, "data");
  expect(mesh.connections).toMatchObject([
    { peer: { spiffeId: expect.any(String) }, peerAddress: null, localAddress: null, localPort: null },
  ]);
  secure.destroy();
});
