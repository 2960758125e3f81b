import { once } from "node:events";
import { createSecureServer } from "node:http2";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createMesh, meshError } from "@heddle/core";
import { httpTransport, MeshDispatcher, meshRequest } from "@heddle/http";
import { type TestCertificate, testAuthority } from "@heddle/testing/authority";
import { expect, onTestFinished, test } from "vitest";

// Callers of a server that holds itself to nothing: it goes on with the certificate it has, and closes no connection.

type Protocol = "http1" | "http2";

async function serverWith({ certPem: cert, keyPem: key }: TestCertificate, protocol: Protocol) {
  const options = { cert, key, requestCert: true, rejectUnauthorized: false };
  const application = (_request: unknown, response: { end(text: string): void }) => response.end("served");
  const server =
    protocol === "http1"
      ? createServer({ ...options, keepAliveTimeout: 600_000 }, application)
      : createSecureServer(options, application as never);
  server.on("secureConnection", (socket) => onTestFinished(() => void socket.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function callerOf(authority: ReturnType<typeof testAuthority>, address: string, protocol: Protocol) {
  const reviews = { protocol, identities: [authority.id("reviews").text], endpoints: [{ address }] };
  const mesh = createMesh({
    service: "web",
    transport: httpTransport(),
    identity: authority.source("web"),
    config: { apiVersion: "heddle/v1", services: { web: {}, reviews } },
  });
  onTestFinished(() => mesh.close({ limit: 0 }));
  await mesh.ready();
  const request = meshRequest(mesh, new MeshDispatcher(mesh));
  return async (): Promise<string> => {
    try {
      const response = await request("http://reviews/");
      await response.bytes();
      return String(response.status);
    } catch (error) {
      return meshError(error)?.message ?? String(error);
    }
  };
}

test.each(["http1", "http2"] as const)(
  "after a root was withdrawn no request goes to a server that it proved, over a connection that is open (%s)",
  async (protocol) => {
    const authority = testAuthority();
    const address = await serverWith(authority.issue("reviews"), protocol);
    const call = await callerOf(authority, address, protocol);
    expect([await call(), await call()]).toEqual(["200", "200"]);
    authority.replaceRoot({ overlap: false });
    expect(await call()).toMatch(/has no path to a root of shop\.test/);
  },
);

test.each(["http1", "http2"] as const)(
  "no request goes to a server whose certificate has ended, over a connection that is open (%s)",
  { timeout: 60_000 },
  async (protocol) => {
    const authority = testAuthority();
    const address = await serverWith(authority.issue("reviews", { lifetime: "8s" }), protocol);
    const endedBy = Date.now() + 8_000;
    const call = await callerOf(authority, address, protocol);
    expect([await call(), await call()]).toEqual(["200", "200"]);
    await sleep(endedBy + 1_000 - Date.now());
    expect(await call()).toMatch(/certificate of spiffe:\/\/shop\.test\/reviews, .* expired /);
  },
);
