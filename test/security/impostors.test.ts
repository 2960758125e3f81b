import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { type ConnectionOptions, connect as connectTls, createServer, type TLSSocket } from "node:tls";
import { createMesh, meshError, type Problem } from "@heddle/core";
import { httpTransport, MeshDispatcher, meshRequest } from "@heddle/http";
import {
  type TestAuthority,
  type TestCertificate,
  testAuthority,
  WRONG_CERTIFICATES,
  type WrongCertificate,
} from "@heddle/testing/authority";
import { describe, expect, onTestFinished, test } from "vitest";
import { guarded } from "./guarded.ts";

// Every certificate that is wrong in one way, presented by an end that is no mesh and holds itself to nothing.

const shop: TestAuthority = testAuthority({ trustDomain: "shop.test" });
const kinds = Object.keys(WRONG_CERTIFICATES) as WrongCertificate[];
const as = (side: "client" | "server") =>
  kinds.filter((kind) => kind !== "wrong-key" && (WRONG_CERTIFICATES[kind].wrongAs ?? side) === side);

/** What the side that refuses says of it; `NAME` is whom the other pretends to be, `SIDE` what it would be. */
const SAID: Readonly<Record<WrongCertificate, string>> = {
  expired: "the certificate of NAME, issued by ROOT, expired ",
  "not-yet-valid": "the certificate of NAME, issued by ROOT, is not valid before ",
  "two-ids": 'issued by ROOT, names 2 URIs ("NAME", "NAME-too"), expected exactly one',
  "no-id": "issued by ROOT, names no URI, expected exactly one",
  "dns-name-alone": "issued by ROOT, names no URI, expected exactly one",
  "id-of-trust-domain": 'issued by ROOT, names the trust domain "spiffe://shop.test", expected a workload\'s ID with a path',
  "malformed-id": 'the path has the segment ".."',
  "other-trust-domain":
    "the certificate of spiffe://other.test/SERVICE, issued by ROOT, is of a trust domain without a bundle here; known are shop.test",
  authority: 'of "NAME" is an authority (CA:TRUE), expected a leaf',
  "signs-certificates": 'of "NAME" has the key usage keyCertSign, which only an authority may have',
  "no-key-usage": 'of "NAME" has no key usage, expected digitalSignature',
  "no-digital-signature": 'of "NAME" has the key usage keyAgreement, expected digitalSignature',
  "other-purpose": "may not be used by a TLS SIDE",
  "server-alone": "may not be used by a TLS SIDE",
  "client-alone": "may not be used by a TLS SIDE",
  "weak-signature": "has no path to a root of shop.test: ROOT",
  "foreign-authority": 'NAME, issued by "O=shop.test, CN=development authority", has no path to a root of shop.test',
  forged: "has no path to a root of shop.test: ROOT",
  "self-signed": 'NAME, issued by "CN=SERVICE", has no path to a root of shop.test',
  "signed-by-leaf": 'NAME, issued by "CN=a service", has no path to a root of shop.test',
  "path-too-long": "allows 0 intermediates below it, found 1",
  "expired-intermediate": '"O=shop.test, CN=expired"',
  "missing-intermediate": 'no root and no presented certificate is "O=shop.test, CN=missing"',
  "wrong-key": "",
};

function said(kind: WrongCertificate, service: string, side: "client" | "server"): string {
  const whole = SAID[kind].replaceAll("NAME", shop.id(service).text).replaceAll("SERVICE", service).replace("SIDE", side);
  return whole.replaceAll("ROOT", '"O=shop.test, CN=test authority"');
}

function options({ certPem: cert, keyPem: key }: TestCertificate): ConnectionOptions {
  return { cert, key, rejectUnauthorized: false };
}

/** A listener that lets `web` in, and what it says of connections that it refused. */
async function reviews() {
  let called = 0;
  const problems: Problem[] = [];
  const inbound = { authorize: [{ name: "web", from: [{ principals: [shop.id("web").text] }] }] };
  const application = (_request: unknown, response: { end(text: string): void }) => {
    called++;
    response.end("served");
  };
  const { mesh, listener } = await guarded(inbound, application as never, {
    identity: shop.source("reviews"),
    onProblem: (problem) => problems.push(problem),
  });
  return { mesh, port: listener.port, problems, called: () => called };
}

/** What an end that shakes hands and asks at once gets. */
async function asked(port: number, how: ConnectionOptions): Promise<string> {
  const secure = connectTls({ ...how, socket: connectTcp(port, "127.0.0.1") });
  let received = "";
  secure.on("data", (text) => (received += String(text)));
  secure.on("error", () => {});
  secure.write("GET /open HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n");
  await once(secure, "close");
  return received;
}

describe("a caller", () => {
  test("that is who it should be is served", async () => {
    const { port, called } = await reviews();
    expect(await asked(port, options(shop.issue("web")))).toMatch(/served$/);
    expect(called()).toBe(1);
  });

  test.each(as("client"))("is refused before HTTP where its certificate is wrong: %s", async (kind) => {
    const { mesh, port, problems, called } = await reviews();
    expect(await asked(port, options(shop.wrong(kind, "web")))).toBe("");
    expect([called(), mesh.inspect().inbound.refusedConnections]).toEqual([0, 1]);
    const [problem] = problems;
    expect(problems).toHaveLength(1);
    expect(problem?.where).toBe("inbound");
    expect(problem?.message).toMatch(/^this side refused a connection from 127\.0\.0\.1: /);
    expect(problem?.message).toContain(said(kind, "web", "client"));
  });
});

describe("a server", () => {
  test.each(as("server"))("is sent nothing where its certificate is wrong: %s", async (kind) => {
    const { certPem: cert, keyPem: key } = shop.wrong(kind, "reviews");
    const received: string[] = [];
    const sockets = new Set<TLSSocket>();
    const server = createServer({ cert, key, ca: shop.bundlePem(), requestCert: true }, (socket) => {
      sockets.add(socket);
      socket.on("data", (bytes) => received.push(String(bytes)));
      socket.on("error", () => {});
    });
    server.on("tlsClientError", () => {});
    await once(server.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const address = `127.0.0.1:${(server.address() as { port: number }).port}`;
    const config = {
      apiVersion: "heddle/v1",
      services: { web: {}, reviews: { retry: "off", endpoints: [{ address }], identities: [shop.id("reviews").text] } },
    };
    const client = createMesh({ service: "web", config, transport: httpTransport(), identity: shop.source("web") });
    onTestFinished(() => client.close({ limit: 0 }));
    await client.ready();
    const error = await meshRequest(
      client,
      new MeshDispatcher(client),
    )("http://reviews/").then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(received).toEqual([]);
    expect(meshError(error)?.code).toBe("connect_failed");
    expect(meshError(error)?.message).toContain("this side refused the server: ");
    expect(meshError(error)?.message).toContain(said(kind, "reviews", "server"));
  });
});
