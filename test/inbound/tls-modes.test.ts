import { request as httpsRequest } from "node:https";
import type { Listener } from "@heddle/http";
import { listen } from "@heddle/http";
import { afterEach, describe, expect, test } from "vitest";
import { get, rawClient } from "./raw-client.ts";
import { asNobody, asWeb, REVIEWS, refusedHandshake, type SecureMesh, secureClient, secureMesh, stranger, WEB } from "./secure-mesh.ts";

const meshes: SecureMesh[] = [];
afterEach(async () => {
  for (const mesh of meshes.splice(0)) await mesh.close();
});

async function serving(mode: Parameters<typeof secureMesh>[0]): Promise<{ readonly mesh: SecureMesh; readonly server: Listener }> {
  const mesh = secureMesh(mode);
  meshes.push(mesh);
  const server = await listen(
    mesh,
    (request, response) =>
      response.end(`hello ${(request as { mesh?: { peer?: { spiffeId: string } } }).mesh?.peer?.spiffeId ?? "nobody"}`),
    { host: "127.0.0.1" },
  );
  return { mesh, server };
}

describe("strict", () => {
  test("serves a caller that proves its identity, on a connection that is kept", async () => {
    const { mesh, server } = await serving("strict");
    const client = await secureClient(server.port);
    for (let round = 0; round < 3; round++) {
      client.clear();
      client.write(get("/"));
      expect(await client.until(`hello ${WEB}`)).toMatch(/^HTTP\/1\.1 200 .*keep-alive/is);
    }
    expect(mesh.connections).toHaveLength(3);
    // Derived once: what is found of a connection is kept with it.
    expect(new Set(mesh.connections).size).toBe(1);
    client.socket.destroy();
  });

  test("tells of the connection whom it proves, by which name, and from where", async () => {
    const { mesh, server } = await serving("strict");
    const client = await secureClient(server.port, { ...asWeb(), servername: "reviews.shop" });
    client.write(get("/"));
    await client.until("hello");
    expect(mesh.connections[0]).toMatchObject({
      peer: {
        spiffeId: WEB,
        trustDomain: "shop.example",
        namespace: "shop",
        serviceAccount: "web",
        fingerprint: expect.stringMatching(/^[\da-f]{64}$/),
      },
      isEncrypted: true,
      sni: "reviews.shop",
      peerAddress: "127.0.0.1",
      localAddress: "127.0.0.1",
      localPort: server.port,
    });
    client.socket.destroy();
  });

  test("gives https as its url, and callers of node:https what they ask for", async () => {
    const { server } = await serving("strict");
    expect(server.url).toBe(`https://127.0.0.1:${server.port}`);
    const status = await new Promise((resolve, reject) => {
      httpsRequest(server.url, { ...asWeb(), agent: false }, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).toBe(200);
  });

  test("refuses plain text with 403 and closes the connection, but answers health requests", async () => {
    const { mesh, server } = await serving("strict");
    const client = await rawClient(server.port);
    client.write(get("/livez"));
    expect(await client.until('"because":[]}')).toMatch(/^HTTP\/1\.1 200 /);
    client.clear();
    client.write(get("/"));
    const answer = await client.ended();
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toMatch(/x-heddle-error: mtls_required/i);
    expect(answer).toMatch(/connection: close/i);
    expect(mesh.connections).toMatchObject([{ peer: null, isEncrypted: false, peerAddress: "127.0.0.1" }]);
  });

  test("refuses upgrades and CONNECT in plain text", async () => {
    const { server } = await serving("strict");
    // Node takes neither where nobody listens.
    for (const name of ["upgrade", "connect"]) server.server.on(name, (_request, socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n"));
    for (const head of [get("/chat", ["upgrade: websocket", "connection: upgrade"]), "CONNECT db:1 HTTP/1.1\r\nhost: db:1\r\n\r\n"]) {
      const client = await rawClient(server.port);
      client.write(head);
      expect(await client.ended()).toMatch(/^HTTP\/1\.1 403 .*mtls_required/s);
    }
  });

  test("refuses a caller without a certificate, and one that strangers signed, and says who it was", async () => {
    const { mesh, server } = await serving("strict");
    await refusedHandshake(server.port, asNobody);
    expect(mesh.refusals).toEqual([expect.stringMatching(/^127\.0\.0\.1: .*certificate/)]);
    await refusedHandshake(server.port, { ...stranger.client([REVIEWS]).connectOptions("reviews") });
    expect(mesh.refusals[1]).toMatch(/shop\.example\/ns\/shop\/sa\/web.*no path to a root/);
    expect(mesh.runs).toBe(0);
  });
});

describe("permissive", () => {
  test("serves both on one port, each connection kept, and takes plain text for nobody", async () => {
    const { mesh, server } = await serving("permissive");
    expect(server.url).toBe(`http://127.0.0.1:${server.port}`);
    const [plain, secure] = [await rawClient(server.port), await secureClient(server.port)];
    for (let round = 0; round < 3; round++) {
      for (const [client, who] of [
        [plain, "nobody"],
        [secure, WEB],
      ] as const) {
        client.clear();
        client.write(get("/"));
        expect(await client.until(`hello ${who}`)).toMatch(/^HTTP\/1\.1 200 /);
      }
    }
    expect(mesh.connections.map(({ isEncrypted }) => isEncrypted)).toEqual([false, true, false, true, false, true]);
    plain.socket.destroy();
    secure.socket.destroy();
  });

  test("lets TLS without a certificate be nobody, and refuses a wrong one all the same", async () => {
    const { mesh, server } = await serving("permissive");
    const client = await secureClient(server.port, asNobody);
    client.write(get("/"));
    await client.until("hello nobody");
    client.socket.destroy();
    await refusedHandshake(server.port, stranger.client([REVIEWS]).connectOptions("reviews"));
    expect(mesh.refusals).toEqual([expect.stringMatching(/no path to a root/)]);
    expect(mesh.runs).toBe(1);
  });
});

describe("disable", () => {
  test("does not look at connections: a handshake is no request", async () => {
    const { mesh, server } = await serving("disable");
    const client = await rawClient(server.port);
    client.write(get("/"));
    await client.until("hello nobody");
    client.socket.destroy();
    await refusedHandshake(server.port, asWeb());
    expect(mesh.refusals).toEqual([]);
    expect(mesh.runs).toBe(1);
  });
});

test("an edit holds new connections to the new mode, and refuses the next plain request of old ones", async () => {
  const { mesh, server } = await serving("permissive");
  const [plain, nobody, secure] = [
    await rawClient(server.port),
    await secureClient(server.port, asNobody),
    await secureClient(server.port),
  ];
  for (const client of [plain, nobody, secure]) {
    client.write(get("/"));
    await client.until("hello");
    client.clear();
  }
  mesh.setMode("strict");
  expect(server.url).toMatch(/^https:/);
  for (const client of [plain, nobody]) {
    client.write(get("/"));
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 403 .*mtls_required/s);
  }
  secure.write(get("/"));
  await secure.until(`hello ${WEB}`);
  await refusedHandshake(server.port, asNobody);
  expect(mesh.refusals).toHaveLength(1);

  mesh.setMode("disable");
  secure.clear();
  secure.write(get("/"));
  await secure.until(`hello ${WEB}`);
  const late = await rawClient(server.port);
  late.write(get("/"));
  await late.until("hello nobody");
  for (const client of [secure, late]) client.socket.destroy();
});
