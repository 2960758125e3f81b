import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { createSecureServer } from "node:http2";
import { createServer as createHttpsServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CertificateSource, createMesh, fileSource, type Mesh, type MeshOptions, meshError } from "@heddle/core";
import { httpTransport, type Listener, listen, MeshDispatcher, meshRequest } from "@heddle/http";
import { testAuthority } from "@heddle/testing/authority";
import { expect, onTestFinished, test, vi } from "vitest";
import { ISSUER, signingKey, tokenOf } from "../../packages/core/test/token-issuer.ts";
import { answerTo, answerToTarget, guarded, statusOf } from "./guarded.ts";

// What is missing, over or broken lets nobody in that was not let in before.

const shop = testAuthority();
const QUIET = { onProblem: () => {} };

/** `web`, which calls `reviews` there. */
async function web(port: number, identity: CertificateSource, options: Partial<MeshOptions> = {}, service: object = {}): Promise<Mesh> {
  const reviews = { retry: "off", endpoints: [{ address: `127.0.0.1:${port}` }], identities: [shop.id("reviews").text], ...service };
  const config = { apiVersion: "heddle/v1", services: { web: {}, reviews } };
  const mesh = createMesh({ service: "web", config, transport: httpTransport(), identity, ...QUIET, ...options });
  onTestFinished(() => mesh.close({ limit: 0 }));
  return mesh;
}

/** The status, or the code and message of the failure. */
async function ask(mesh: Mesh): Promise<number | string> {
  try {
    const reply = await meshRequest(mesh, new MeshDispatcher(mesh))("http://reviews/open");
    await reply.bytes();
    return reply.status;
  } catch (error) {
    return `${meshError(error)?.code}: ${meshError(error)?.message}`;
  }
}

async function reviews(
  identity: CertificateSource,
  inbound: object = {},
): Promise<{ mesh: Mesh; listener: Listener; called: () => number }> {
  let called = 0;
  const application = (_request: unknown, response: ServerResponse) => {
    called++;
    response.end("served");
  };
  return { ...(await guarded(inbound, application as never, { identity, ...QUIET })), called: () => called };
}

test("a certificate that expires with none in its place calls nobody and lets nobody in, and health says why", {
  timeout: 30_000,
}, async () => {
  const theirs = shop.source("reviews");
  const { mesh: server, listener, called } = await reviews(theirs);
  const ours = shop.source("web", { lifetime: "3s" });
  const client = await web(listener.port, ours);
  await client.ready();
  expect(await ask(client)).toBe(200);
  // The connection that it was made by ends with it, too.
  await vi.waitFor(async () => expect(String(await ask(client))).toMatch(/^no_identity: /), 10_000);
  expect(client.health().because.join()).toMatch(/the certificate of spiffe:\/\/shop\.test\/web .* expired /);
  const served = called();

  ours.present(shop.issue("web"));
  expect(client.health().because).toEqual([]);
  expect(await ask(client)).toBe(200);
  theirs.present(shop.issue("reviews", { lifetime: "1s" }));
  await vi.waitFor(
    () => expect(server.health().because.join()).toMatch(/the certificate of spiffe:\/\/shop\.test\/reviews .* expired /),
    10_000,
  );
  const fresh = await web(listener.port, shop.source("web"));
  await fresh.ready();
  expect(await ask(fresh)).toMatch(/^connect_failed: /);
  expect(called()).toBe(served + 1);
  expect(statusOf(await answerToTarget(listener.port, "/open"))).toBe(403);

  theirs.rotate();
  expect(await ask(fresh)).toBe(200);
});

test.each(["http1", "http2"] as const)(
  "a connection to a server that goes on believing us ends with our certificate (%s)",
  async (protocol) => {
    const { certPem: cert, keyPem: key } = shop.issue("reviews");
    const create = (protocol === "http1" ? createHttpsServer : createSecureServer) as typeof createHttpsServer;
    const server = create({ cert, key, ca: shop.bundlePem(), requestCert: true }, ((_request: unknown, response: ServerResponse) =>
      response.end()) as never);
    await once(server.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => void server.close());
    const { port } = server.address() as { port: number };
    const client = await web(port, shop.source("web", { lifetime: "3s" }), {}, { protocol });
    await client.ready();
    expect(await ask(client)).toBe(200);
    await vi.waitFor(async () => expect(String(await ask(client))).toMatch(/^no_identity: /), { timeout: 10_000, interval: 100 });
  },
);

test("an identity source that never speaks leaves the mesh not ready, in both directions", async () => {
  const silent: CertificateSource = { name: "silent", watch: () => () => {} };
  const good = await reviews(shop.source("reviews"));
  const client = await web(good.listener.port, silent, { startTimeout: "300ms" });
  await expect(client.ready()).rejects.toMatchObject({ code: "not_ready" });
  expect(client.health().ok).toBe(false);
  expect(await ask(client)).toMatch(/^(not_ready|no_identity): /);
  expect(good.called()).toBe(0);

  const server = createMesh({
    service: "reviews",
    config: { apiVersion: "heddle/v1", services: { reviews: {} } },
    transport: httpTransport(),
    identity: silent,
    ...QUIET,
  });
  onTestFinished(() => server.close({ limit: 0 }));
  let called = 0;
  const { port } = await listen(server, (_request, response) => void response.end(`served ${++called}`), { host: "127.0.0.1" });
  expect(await answerToTarget(port, "/open")).toMatch(/^HTTP\/1\.1 503 .*not_ready/s);
  expect(statusOf(await answerToTarget(port, "/readyz"))).toBe(503);
  const proved = await web(port, shop.source("web"));
  await proved.ready();
  expect(await ask(proved)).toMatch(/^connect_failed: /);
  expect(called).toBe(0);
});

/** `reviews` under a document in a file, and a way to edit it. */
async function edited(first: object, options: Partial<MeshOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), "heddle-fail-closed-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "mesh.json");
  const write = (services: object) => writeFile(path, JSON.stringify({ apiVersion: "heddle/v1", services }));
  await write(first);
  const problems: string[] = [];
  let revision = 0;
  const application = (request: { readonly headers: NodeJS.Dict<unknown> }, response: ServerResponse) =>
    response.end(`served ${request.headers["x-user"]}`);
  const { mesh, listener } = await guarded({}, application as never, {
    config: fileSource(path),
    onProblem: ({ message }) => problems.push(message),
    onChange: (change) => (revision = change.revision),
    ...options,
  });
  /** Resolves once it is in force. */
  const take = async (services: object) => {
    const before = revision;
    await write(services);
    await vi.waitFor(() => expect(revision).toBeGreaterThan(before), 10_000);
  };
  return { mesh, port: listener.port, problems, write, take };
}

const closed = { name: "closed", action: "deny", to: [{ paths: ["/closed"] }] };
const everybody = { name: "everybody", rules: [{}] };

test.each([
  ["a rule without anything to ask", { authorize: [{ name: "empty" }] }],
  ["an action that is none", { authorize: [{ name: "x", action: "let", rules: [{}] }] }],
  ["an ID that is none", { authorize: [], trustedPeers: ["spiffe://"] }],
  ["mutual TLS in a process without identity", { mtls: "strict" }],
  ["a token rule without keys", { jwt: [{ issuer: ISSUER }] }],
  ["a key that is misspelt", { authorise: [everybody] }],
])("an edit that breaks what is secured leaves what was in force: %s", async (_what, inbound) => {
  const { port, problems, write, mesh } = await edited({ reviews: { inbound: { authorize: [closed, everybody] } } });
  expect(statusOf(await answerToTarget(port, "/closed"))).toBe(403);
  await write({ reviews: { inbound } });
  await vi.waitFor(() => expect(problems).not.toEqual([]), 10_000);
  expect([statusOf(await answerToTarget(port, "/closed")), statusOf(await answerToTarget(port, "/open"))]).toEqual([403, 200]);
  expect(mesh.inspect().problems).not.toEqual([]);
  await write({ reviews: { inbound: { authorize: [everybody] } } });
  await vi.waitFor(async () => expect(statusOf(await answerToTarget(port, "/closed"))).toBe(200), 10_000);
});

test("a service that left the document is served no more, and nothing is let in by the rules it had", async () => {
  const { port, write } = await edited({ reviews: { inbound: { authorize: [closed, everybody] } } });
  expect(statusOf(await answerToTarget(port, "/open"))).toBe(200);
  await write({ ratings: {} });
  await vi.waitFor(async () => expect(await answerToTarget(port, "/open")).toMatch(/^HTTP\/1\.1 503 .*not_ready/s), 10_000);
  await write({ reviews: { inbound: { authorize: [closed, everybody] } } });
  await vi.waitFor(async () => expect(statusOf(await answerToTarget(port, "/open"))).toBe(200), 10_000);
});

const key = signingKey();
const jwt = { issuer: ISSUER, jwks: { inline: { keys: [key.jwk] } }, claimHeaders: [{ header: "x-user", claim: "sub" }] };
const jane = { name: "jane", from: [{ requestPrincipals: [`${ISSUER}/jane`] }] };

test("while rules are edited under load each request is decided wholly by those before or those after", async () => {
  // /x is denied by the one and not allowed by the other; half of each would let it in, or /y out.
  const denying = { reviews: { inbound: { authorize: [{ ...closed, to: [{ paths: ["/x"] }] }, everybody] } } };
  const allowing = { reviews: { inbound: { authorize: [{ name: "y", to: [{ paths: ["/y"] }] }] } } };
  const { port, take } = await edited(denying);
  const answered = { x: new Map<number, number>(), y: new Map<number, number>() };
  let isOver = false;
  const call = async (path: "x" | "y") => {
    while (!isOver) {
      const status = statusOf(await answerToTarget(port, `/${path}`));
      answered[path].set(status, (answered[path].get(status) ?? 0) + 1);
    }
  };
  const callers = (["x", "y", "x", "y"] as const).map(call);
  for (let turn = 0; turn < 6; turn++) await take(turn % 2 === 0 ? allowing : denying);
  isOver = true;
  await Promise.all(callers);
  expect([[...answered.x.keys()], [...answered.y.keys()]]).toEqual([[403], [200]]);
});

/** A layer that holds each request until it is let go. */
function holding(): { readonly options: Partial<MeshOptions>; readonly waiting: (() => void)[] } {
  const waiting: (() => void)[] = [];
  const layer = (next: (request: never) => Promise<never>) => async (request: never) => {
    await new Promise<void>((resolve) => waiting.push(resolve));
    return next(request);
  };
  return { options: { layers: [{ at: "inbound", layer: layer as never }] }, waiting };
}

const spoofing = "GET /open HTTP/1.1\r\nhost: reviews\r\nx-user: root\r\nconnection: close\r\n";

test.each([
  ["rules for tokens went", { reviews: { inbound: { authorize: [everybody] } } }],
  ["the service went", { ratings: {} }],
])("a request that waits while %s is decided wholly by the rules it came under", async (_what, after) => {
  const { options, waiting } = holding();
  const { port, take } = await edited({ reviews: { inbound: { jwt: [jwt], authorize: [jane] } } }, options);
  const exp = Math.floor(Date.now() / 1_000) + 600;
  const forged = answerTo(port, `${spoofing}\r\n`);
  const proved = answerTo(port, `${spoofing}authorization: Bearer ${tokenOf(key, { exp })}\r\n\r\n`);
  await vi.waitFor(() => expect(waiting).toHaveLength(2), 10_000);
  await take(after);
  for (const go of waiting.splice(0)) go();
  expect(statusOf(await forged)).toBe(401);
  expect(await proved).toMatch(/^HTTP\/1\.1 200 .*served jane$/s);
});

test("what only tokens may say is taken away from a request that waits while the rules for tokens go", async () => {
  const { options, waiting } = holding();
  const { port, take } = await edited({ reviews: { inbound: { jwt: [jwt] } } }, options);
  const forged = answerTo(port, `${spoofing}\r\n`);
  await vi.waitFor(() => expect(waiting).toHaveLength(1), 10_000);
  await take({ reviews: {} });
  for (const go of waiting) go();
  expect(await forged).toMatch(/served undefined$/);
});

test("a bypass goes on proving and demanding identities", async () => {
  const { mesh, listener, called } = await reviews(shop.source("reviews"), {
    authorize: [{ name: "web", from: [{ principals: [shop.id("web").text] }] }],
  });
  const bypassing = await web(listener.port, shop.source("web"), { bypass: true });
  await bypassing.ready();
  expect([await ask(bypassing), called()]).toEqual([200, 1]);

  const impostor = await reviews(shop.source("ratings"));
  const misled = await web(impostor.listener.port, shop.source("web"), { bypass: true });
  await misled.ready();
  expect(await ask(misled)).toMatch(/^connect_failed: .*the peer is spiffe:\/\/shop\.test\/ratings/s);

  const plain = await guarded({}, ((_request: unknown, response: ServerResponse) => response.end()) as never, QUIET);
  const sent = await web(plain.listener.port, shop.source("web"), { bypass: true });
  await sent.ready();
  expect(await ask(sent)).toMatch(/^connect_failed: /);
  expect(mesh.inspect().inbound.refusedConnections).toBe(0);
});

test("a service that bypasses its policies still lets in only whom they let in", async () => {
  const inbound = { authorize: [{ name: "web", from: [{ principals: [shop.id("web").text] }] }] };
  const application = (_request: unknown, response: ServerResponse) => response.end("served");
  const { listener } = await guarded(inbound, application as never, { identity: shop.source("reviews"), bypass: true, ...QUIET });
  const statuses: (number | string)[] = [];
  for (const service of ["web", "ratings"]) {
    const caller = await web(listener.port, shop.source(service));
    await caller.ready();
    statuses.push(await ask(caller));
  }
  expect(statuses).toEqual([200, 403]);
  expect(statusOf(await answerToTarget(listener.port, "/open"))).toBe(403);
});
