import { setTimeout as sleep } from "node:timers/promises";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from "@grpc/grpc-js";
import { createMesh } from "@heddle/core";
import { grpcTransport } from "@heddle/grpc";
import { type TestAuthority, type TestCertificate, testAuthority } from "@heddle/testing/authority";
import { expect, onTestFinished, test } from "vitest";
import { textService } from "../text-service.ts";
import { textClient } from "./live.ts";

// Of HTTP: test/security/ended-proofs.test.ts. The server goes on with the certificate it has, and closes no connection.

async function serverWith({ certPem, keyPem }: TestCertificate): Promise<string> {
  const server = new Server();
  const unary = (call: ServerUnaryCall<string, string>, callback: sendUnaryData<string>) => callback(null, call.request);
  server.addService(textService, { unary, clientStream: () => {}, serverStream: () => {}, bidi: () => {} });
  const credentials = ServerCredentials.createSsl(null, [{ cert_chain: Buffer.from(certPem), private_key: Buffer.from(keyPem) }]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, given) => (error ? reject(error) : resolve(given)));
  });
  onTestFinished(() => server.forceShutdown());
  return `127.0.0.1:${port}`;
}

async function callerOf(authority: TestAuthority, address: string): Promise<() => Promise<string>> {
  const texts = { protocol: "grpc", identities: [authority.id("texts").text], endpoints: [{ address }] };
  const config = { apiVersion: "heddle/v1", services: { web: {}, texts } };
  const mesh = createMesh({ service: "web", transport: grpcTransport(), identity: authority.source("web"), config });
  onTestFinished(() => mesh.close({ limit: 0 }));
  await mesh.ready();
  const client = textClient(mesh);
  return () =>
    new Promise((resolve) => {
      client.unary("hello", (error, text) => resolve(error ? error.details : (text ?? "")));
    });
}

test("after a root was withdrawn no call goes to a server that it proved, over a connection that is open", async () => {
  const authority = testAuthority();
  const call = await callerOf(authority, await serverWith(authority.issue("texts")));
  expect([await call(), await call()]).toEqual(["hello", "hello"]);
  authority.replaceRoot({ overlap: false });
  expect(await call()).toMatch(/has no path to a root of shop\.test/);
});

test("no call goes to a server whose certificate has ended, over a connection that is open", { timeout: 60_000 }, async () => {
  const authority = testAuthority();
  const address = await serverWith(authority.issue("texts", { lifetime: "8s" }));
  const endedBy = Date.now() + 8_000;
  const call = await callerOf(authority, address);
  expect([await call(), await call()]).toEqual(["hello", "hello"]);
  await sleep(endedBy + 1_000 - Date.now());
  expect(await call()).toMatch(/certificate of spiffe:\/\/shop\.test\/texts, .* expired /);
});
