import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { createServer, type Server, TLSSocket } from "node:tls";
import { createMesh, type Mesh, meshError, type Problem } from "@heddle/core";
import { httpTransport, type Listener, listen, MeshDispatcher, meshRequest } from "@heddle/http";
import { type TestCertificateSource, testAuthority, type WrongCertificate } from "@heddle/testing/authority";
import { afterEach, describe, expect, test } from "vitest";

// Two meshes over real sockets: each attack is refused on the side that has to, and says who came and who was expected.

const host = "127.0.0.1";
const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

interface Ends {
  /** What `reviews` proves to be, and `web`. */
  readonly server?: TestCertificateSource;
  readonly client?: TestCertificateSource;
  readonly inbound?: object;
  readonly shop?: ReturnType<typeof testAuthority>;
}

interface Running {
  readonly shop: ReturnType<typeof testAuthority>;
  readonly listener: Listener;
  readonly server: Mesh;
  readonly client: Mesh;
  readonly problems: Problem[];
  /** How often the application was called. */
  readonly called: () => number;
  /** The status, or the message of the failure. */
  ask(path?: string): Promise<number | string>;
}

async function running({ shop = testAuthority({ trustDomain: "shop.example" }), inbound, ...ends }: Ends = {}): Promise<Running> {
  let calls = 0;
  const problems: Problem[] = [];
  const documentOf = (address: string | null) => ({
    apiVersion: "heddle/v1",
    mesh: { trustDomain: "shop.example", identityTemplate: "spiffe://{trustDomain}/{service}" },
    services: {
      web: {},
      reviews: { endpoints: address === null ? [] : [{ address }], retry: "off", outlier: "off", ...(inbound && { inbound }) },
    },
  });
  const meshOf = (service: string, address: string | null, identity: TestCertificateSource): Mesh => {
    const onProblem = (problem: Problem) => problems.push(problem);
    const mesh = createMesh({ service, config: documentOf(address), transport: httpTransport(), identity, onProblem });
    closings.push(() => mesh.close({ limit: 500 }));
    return mesh;
  };
  const server = meshOf("reviews", null, ends.server ?? shop.source("reviews"));
  await server.ready();
  const listener = await listen(
    server,
    (_request, response) => {
      calls++;
      response.end("{}");
    },
    { host },
  );
  const client = meshOf("web", `${host}:${listener.port}`, ends.client ?? shop.source("web"));
  await client.ready();
  const request = meshRequest(client, new MeshDispatcher(client));
  const ask = async (path = "/api/7"): Promise<number | string> => {
    try {
      const reply = await request(`http://reviews${path}`);
      await reply.bytes();
      return reply.status;
    } catch (error) {
      return meshError(error)?.message ?? String(error);
    }
  };
  return { shop, listener, server, client, problems, called: () => calls, ask };
}

/** A source that gives this certificate in the place of a right one. */
function presenting(shop: ReturnType<typeof testAuthority>, service: string, kind: WrongCertificate): TestCertificateSource {
  const source = shop.source(service);
  source.present(shop.wrong(kind, service));
  return source;
}

test("two meshes of one authority talk", async () => {
  const { ask, called } = await running();
  expect([await ask(), called()]).toEqual([200, 1]);
});

const WRONG_SERVERS: readonly (readonly [WrongCertificate, RegExp])[] = [
  ["other-trust-domain", /refused the server/],
  ["foreign-authority", /refused the server/],
  ["two-ids", /refused the server/],
  ["authority", /refused the server/],
  ["signs-certificates", /refused the server/],
  ["signed-by-leaf", /refused the server/],
  ["client-alone", /refused the server/],
  ["self-signed", /refused the server/],
];

describe.each(WRONG_SERVERS)("a server with a certificate that is wrong (%s)", (kind, message) => {
  test("is refused by the caller, which sends nothing", async () => {
    const shop = testAuthority({ trustDomain: "shop.example" });
    const { ask, called } = await running({ shop, server: presenting(shop, "reviews", kind) });
    expect(await ask()).toMatch(message);
    expect(called()).toBe(0);
  });
});

const WRONG_CLIENTS: readonly WrongCertificate[] = [
  "other-trust-domain",
  "foreign-authority",
  "two-ids",
  "authority",
  "signs-certificates",
  "signed-by-leaf",
  "server-alone",
  "self-signed",
];

describe.each(WRONG_CLIENTS)("a caller with a certificate that is wrong (%s)", (kind) => {
  test("is refused by the server, whose application never sees it", async () => {
    const shop = testAuthority({ trustDomain: "shop.example" });
    const { ask, called, server } = await running({ shop, client: presenting(shop, "web", kind) });
    expect(await ask()).toMatch(
      /: the server closed the connection right after the TLS handshake, which is how a server refuses a client's/,
    );
    expect(called()).toBe(0);
    expect(server.inspect().inbound.refusedConnections).toBeGreaterThan(0);
  });
});

test("a server with a right certificate of another service is refused, and both names are told", async () => {
  const shop = testAuthority({ trustDomain: "shop.example" });
  const { ask, called } = await running({ shop, server: shop.source("ratings") });
  expect(await ask()).toMatch(/the peer is spiffe:\/\/shop\.example\/ratings.*expected spiffe:\/\/shop\.example\/reviews/s);
  expect(called()).toBe(0);
});

test("a certificate that expired with none in its place ends both directions, and health says so", async () => {
  const { ask, client, server, shop, listener, called } = await running();
  expect(await ask()).toBe(200);
  const expired = shop.source("web");
  expired.expire();
  const other = createMesh({ config: { apiVersion: "heddle/v1", services: {} }, transport: httpTransport(), identity: expired });
  closings.push(() => other.close());
  await other.ready();
  expect(other.health().because.join()).toMatch(/expired/);
  expect(() => other.serverTls.socketOptions()).toThrow(/no certificate that is valid now/);
  expect(client.health().ok && server.health().ok).toBe(true);
  expect([called(), listener.url.startsWith("https:")]).toEqual([1, true]);
});

test("plain text gets health alone: everything else is 403, and upgrades too", async () => {
  const { listener, called } = await running();
  const ask = async (path: string, headers: Record<string, string> = {}): Promise<number> => {
    const request = httpRequest({ host, port: listener.port, path, headers });
    request.end();
    const answer = await Promise.race([once(request, "response"), once(request, "upgrade")]);
    (answer[0] as { resume(): void }).resume();
    return (answer[0] as { statusCode: number }).statusCode;
  };
  expect(await ask("/livez")).toBe(200);
  expect(await ask("/api/7")).toBe(403);
  expect(await ask("/api/7", { connection: "upgrade", upgrade: "websocket" })).toBe(403);
  expect(await ask("//livez/../api/7")).toBe(403);
  expect(called()).toBe(0);
});

test("what nobody may have written of who is calling is gone before the application sees it", async () => {
  const { client, called } = await running();
  const seen: (string | undefined)[] = [];
  const server = createMesh({
    service: "reviews",
    config: { apiVersion: "heddle/v1", services: { reviews: {} } },
    transport: httpTransport(),
  });
  closings.push(() => server.close());
  await server.ready();
  const listener = await listen(
    server,
    (request, response) => {
      seen.push(request.headers["x-forwarded-client-cert"] as string | undefined, request.rawHeaders.join());
      response.end();
    },
    { host },
  );
  const request = httpRequest({ host, port: listener.port, headers: { "X-Forwarded-Client-Cert": "By=spiffe://shop.example/admin" } });
  request.end();
  await once(request, "response");
  expect(seen[0]).toBeUndefined();
  expect(seen[1]).not.toMatch(/client-cert/i);
  expect([client.isDraining, called()]).toEqual([false, 0]);
});

test("no session is resumed, though the server would: each connection proves anew who is there", async () => {
  const shop = testAuthority({ trustDomain: "shop.example" });
  const { certPem, keyPem } = shop.issue("reviews");
  let reused = 0;
  const sockets: TLSSocket[] = [];
  const server: Server = createServer({ cert: certPem, key: keyPem, ca: shop.bundlePem(), requestCert: true }, (socket) => {
    if (socket instanceof TLSSocket && socket.isSessionReused()) reused++;
    socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    socket.on("error", () => {});
    sockets.push(socket);
  });
  await once(server.listen(0, host), "listening");
  closings.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as { port: number };
  const client = createMesh({
    config: {
      apiVersion: "heddle/v1",
      services: { reviews: { endpoints: [{ address: `${host}:${port}` }], identities: [shop.id("reviews").text] } },
    },
    transport: httpTransport(),
    identity: shop.source("web"),
  });
  closings.push(() => client.close({ limit: 500 }));
  await client.ready();
  const request = meshRequest(client, new MeshDispatcher(client));
  for (let call = 0; call < 5; call++) expect((await request("http://reviews/")).status).toBe(200);
  expect(reused).toBe(0);
});

// What docs/mtls.md and docs/errors.md say of it.
test("a refused caller gets connection_reset, for it cannot know that its request was not read, and does not repeat it", async () => {
  const shop = testAuthority({ trustDomain: "shop.example" });
  const { listener, called } = await running({ shop });
  const reviews = { endpoints: [{ address: `${host}:${listener.port}` }], identities: [shop.id("reviews").text] };
  const client = createMesh({
    config: { apiVersion: "heddle/v1", services: { reviews } },
    transport: httpTransport(),
    identity: presenting(shop, "web", "foreign-authority"),
  });
  closings.push(() => client.close({ limit: 500 }));
  await client.ready();
  const call = meshRequest(client, new MeshDispatcher(client));
  for (const method of ["GET", "POST"]) {
    const error: unknown = await call("http://reviews/", { method }).catch((reason: unknown) => reason);
    expect(meshError(error)).toMatchObject({ code: "connection_reset", report: { attempts: [{ outcome: "reset" }] } });
  }
  expect(called()).toBe(0);
});
