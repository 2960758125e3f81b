import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { ConnectionOptions } from "node:tls";
import { context, createMesh, type Mesh, type Problem } from "@heddle/core";
import { meshMiddleware } from "@heddle/express-adapter";
import { type Application, listen } from "@heddle/http";
import { testAuthority } from "@heddle/testing/authority";
import express from "express";
import { afterEach, expect, test } from "vitest";
import type { InboundPolicy } from "../../packages/core/src/model/inbound-policy.ts";
import { pathIs, policyOf, ruleOf } from "../../packages/core/test/authorization/builders.ts";
import { inboundPolicyOf, snapshotOf } from "../../packages/core/test/builders.ts";
import { fakeTransport } from "../../packages/core/test/fake-transport.ts";
import { type HandSource, handSource } from "../../packages/core/test/hand-source.ts";
import { get, type RawClient, rawClient } from "./raw-client.ts";
import { asNobody, refusedHandshake, type SecureClient, secureClient } from "./secure-mesh.ts";

const host = "127.0.0.1";
const authority = testAuthority();
const closings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

interface Running {
  readonly mesh: Mesh;
  readonly source: HandSource;
  readonly problems: readonly Problem[];
  edit(policy: Partial<InboundPolicy>): void;
}

async function reviews(
  policy: Partial<InboundPolicy>,
  identity: ReturnType<typeof authority.source> | null = authority.source("reviews"),
): Promise<Running> {
  const snapshot = (parts: Partial<InboundPolicy>) => snapshotOf({ inboundPolicies: [inboundPolicyOf("reviews", parts)] });
  const source = handSource(snapshot(policy));
  const problems: Problem[] = [];
  const mesh = createMesh({
    service: "reviews",
    config: source as never,
    transport: fakeTransport() as never,
    ...(identity && { identity }),
    onProblem: (problem) => problems.push(problem),
  });
  closings.push(() => mesh.close());
  await mesh.ready();
  return { mesh, source, problems, edit: (parts) => source.update(snapshot(parts)) };
}

/** A caller that proves to be this service. Whom it calls is not what is tested here. */
function caller(service: string): ConnectionOptions {
  const { certPem: cert, keyPem: key } = authority.issue(service);
  return { cert, key, rejectUnauthorized: false };
}

const showPeer: Application = (request, response) => response.end(`${request.url} ${context()?.peer?.spiffeId ?? "nobody"}.`);

test("an edit of the policy changes what is let in, and connections that may stay do", async () => {
  const { mesh, edit } = await reviews({ mtls: "automatic" });
  const { port, url } = await listen(mesh, showPeer, { host });
  expect(url).toMatch(/^https:/);
  const secure = await secureClient(port, caller("web"));
  const ask = async (client: RawClient, path: string) => {
    client.clear();
    client.write(get(path));
    return client.until(".");
  };
  expect(await ask(secure, "/1")).toContain(`/1 ${authority.id("web").text}.`);
  const refused = await rawClient(port);
  refused.write(get("/"));
  expect(await refused.ended()).toMatch(/^HTTP\/1\.1 403 .*mtls_required/s);

  edit({ mtls: "permissive" });
  const plain = await rawClient(port);
  expect(await ask(plain, "/2")).toContain("/2 nobody.");
  expect(await ask(secure, "/3")).toContain(`/3 ${authority.id("web").text}.`);

  edit({ mtls: "strict" });
  plain.clear();
  plain.write(get("/"));
  expect(await plain.ended()).toMatch(/^HTTP\/1\.1 403 .*mtls_required/s);
  expect(await ask(secure, "/4")).toContain(`/4 ${authority.id("web").text}.`);

  await refusedHandshake(port, asNobody);
  expect(mesh.inspect().inbound.refusedConnections).toBe(1);
  secure.socket.destroy();
});

test("new connections get the certificate that is in force, and old ones go on", async () => {
  const identity = authority.source("reviews");
  const { mesh } = await reviews({ mtls: "strict" }, identity);
  const { port } = await listen(mesh, showPeer, { host });
  const serials: string[] = [];
  const clients: SecureClient[] = [];
  for (let round = 0; round < 3; round++) {
    if (round > 0) identity.rotate();
    const client = await secureClient(port, caller("web"));
    serials.push(client.secure.getPeerCertificate().serialNumber);
    clients.push(client);
  }
  expect(new Set(serials).size).toBe(3);
  for (const client of clients) {
    client.write(get("/"));
    await client.until(authority.id("web").text);
    client.socket.destroy();
  }
});

test("what is decided about a path is decided about the path that the application sees", async () => {
  const closed = policyOf({ name: "closed", action: "deny", rules: [ruleOf({ to: [[pathIs("/admin")]] })] });
  const authorization = { policies: [closed], pathNormalisation: "merge-slashes", trustedHops: 0 } as const;
  const { mesh } = await reviews({ mtls: "disable", authorization }, null);
  const { port } = await listen(mesh, showPeer, { host });
  const ask = async (target: string) => {
    const client = await rawClient(port);
    client.write(get(target, ["connection: close"]));
    return client.ended();
  };
  for (const target of ["/admin", "//admin", "/x/../admin", "/%61dmin", "\\admin", "http://other/admin", "ftp://other/admin"]) {
    expect(await ask(target)).toMatch(/^HTTP\/1\.1 40[03] /);
  }
  expect(await ask("/x/..//open%2Fapi")).toContain("/open%2Fapi nobody.");
});

const guards: readonly (readonly [string, Partial<InboundPolicy>])[] = [
  ["mutual TLS is strict", { mtls: "strict" }],
  ["it authorizes", { mtls: "disable", authorization: { policies: [], pathNormalisation: "base", trustedHops: 0 } }],
];

test.each(guards)("a middleware alone refuses upgrades and CONNECT, and reports it, where %s", async (_what, policy) => {
  const { mesh, problems } = await reviews(policy);
  const server = createServer();
  const app = express();
  app.use(meshMiddleware(mesh, { server }));
  server.on("request", app);
  let reached = 0;
  for (const name of ["upgrade", "connect"]) server.on(name, () => reached++);
  server.listen(0, host);
  await once(server, "listening");
  for (const head of [get("/chat", ["upgrade: websocket", "connection: upgrade"]), "CONNECT db:1 HTTP/1.1\r\nhost: db:1\r\n\r\n"]) {
    const client = await rawClient((server.address() as AddressInfo).port);
    client.write(head);
    expect(await client.ended()).toMatch(/^HTTP\/1\.1 403 /);
  }
  expect(reached).toBe(0);
  expect(problems.map(({ message }) => message)).toContainEqual(expect.stringMatching(/an upgrade was refused/));
  await new Promise((done) => server.close(done));
});
