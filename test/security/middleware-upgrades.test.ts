import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { createMesh, fileSource, type Mesh, type MeshOptions, type Problem } from "@heddle/core";
import { meshMiddleware } from "@heddle/express-adapter";
import { meshPlugin } from "@heddle/fastify-adapter";
import { httpTransport } from "@heddle/http";
import { testAuthority } from "@heddle/testing/authority";
import express from "express";
import fastify from "fastify";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ISSUER, signingKey } from "../../packages/core/test/token-issuer.ts";
import { answerTo, answerToTarget, statusOf } from "./guarded.ts";

// Frameworks show middleware no upgrade and no CONNECT. Where the mesh stands in a middleware alone, and has anything to guard, they are no way past it.

const GUARDED: Readonly<Record<string, object>> = {
  "rules that allow": { authorize: [{ name: "admins", from: [{ requestPrincipals: [`${ISSUER}/admin`] }] }] },
  "rules that deny": { authorize: [{ name: "closed", action: "deny", to: [{ paths: ["/chat"] }] }] },
  // What is only looked at is guarded by nothing, but whoever reads the counters should find all of it there.
  "rules in shadow": { authorize: [{ name: "tried", mode: "shadow", action: "deny", rules: [{}] }] },
  tokens: { jwt: [{ issuer: ISSUER, jwks: { inline: { keys: [signingKey().jwk] } } }] },
  "strict mutual TLS": { mtls: "strict" },
};
const UPGRADES: Readonly<Record<string, string>> = {
  upgrade: "GET /chat HTTP/1.1\r\nHost: reviews\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
  connect: "CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n",
};

const FRAMEWORKS: Readonly<Record<string, (mesh: Mesh) => Promise<Server>>> = {
  "Express that was told its server": async (mesh) => {
    const app = express();
    const server = createServer(app);
    app.use(meshMiddleware(mesh, { server }));
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    return server;
  },
  "Express after its first request": async (mesh) => {
    const app = express();
    app.use(meshMiddleware(mesh));
    const server = createServer(app);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    await answerToTarget(portOf(server), "/first");
    return server;
  },
  "Fastify with the plugin": async (mesh) => {
    const app = fastify();
    await app.register(meshPlugin(mesh));
    await app.listen({ host: "127.0.0.1", port: 0 });
    onTestFinished(() => app.close());
    return app.server;
  },
};

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function serving(framework: string, inbound: object, options: Partial<MeshOptions> = {}) {
  const problems: Problem[] = [];
  const mesh = createMesh({
    service: "reviews",
    config: { apiVersion: "heddle/v1", services: { reviews: { inbound } } },
    transport: httpTransport(),
    // With an identity alone it is strict.
    ...("mtls" in inbound && { identity: testAuthority().source("reviews") }),
    onProblem: (problem) => problems.push(problem),
    ...options,
  });
  onTestFinished(() => mesh.close({ limit: 500 }));
  await mesh.ready();
  const server = await (FRAMEWORKS[framework] as (mesh: Mesh) => Promise<Server>)(mesh);
  onTestFinished(() => void server.close());
  const seen: string[] = [];
  for (const event of Object.keys(UPGRADES)) {
    server.on(event, (_request, socket: Duplex) => {
      seen.push(event);
      socket.end("HTTP/1.1 204 No Content\r\n\r\n");
    });
  }
  return { port: portOf(server), problems, seen };
}

describe.each(Object.keys(FRAMEWORKS))("%s", (framework) => {
  test.each(Object.entries(GUARDED))("lets no upgrade and no CONNECT past %s, and says so", async (_what, inbound) => {
    const { port, problems, seen } = await serving(framework, inbound);
    for (const text of Object.values(UPGRADES)) expect(statusOf(await answerTo(port, text))).toBe(403);
    expect(seen).toEqual([]);
    expect(problems.filter(({ message }) => /was refused: a middleware cannot put it through/.test(message))).toHaveLength(2);
  });

  test("lets none past where the service has left the configuration, and nobody knows what it asks for", async () => {
    const folder = await mkdtemp(join(tmpdir(), "heddle-middleware-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, "mesh.json");
    await writeFile(path, JSON.stringify({ apiVersion: "heddle/v1", services: { reviews: {} } }));
    const { port, seen } = await serving(framework, {}, { config: fileSource(path) });
    expect(statusOf(await answerTo(port, UPGRADES.upgrade as string))).toBe(204);
    await writeFile(path, JSON.stringify({ apiVersion: "heddle/v1", services: { ratings: {} } }));
    await vi.waitFor(async () => expect(statusOf(await answerToTarget(port, "/open"))).toBe(503), 10_000);
    for (const text of Object.values(UPGRADES)) expect(statusOf(await answerTo(port, text))).toBe(403);
    expect(seen).toEqual(["upgrade"]);
  });

  test("leaves them alone where there is nothing to guard", async () => {
    const { port, seen } = await serving(framework, { mtls: "permissive" });
    for (const text of Object.values(UPGRADES)) expect(statusOf(await answerTo(port, text))).toBe(204);
    expect(seen).toEqual(Object.keys(UPGRADES));
  });
});
