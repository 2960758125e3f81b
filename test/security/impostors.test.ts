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
async function reviews(authority: TestAuthority = shop) {
  let called = 0;
  const problems: Problem[] = [];
  const inbound = { authorize: [{ name: "web", from: [{ principals: [shop.id("web").text] }] }] };
  const application = (_request: unknown, response: { end(text: string): void }) => {
    called++;
    response.end("served");
  };
  const { mesh, listener } = await guarded(inbound, application as never, {
    identity: authority.source("reviews"),
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
  // Not `once`, which rejects where an error comes first.
  await new Promise((closed) => secure.once("close", closed));
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

/** What a server with this certificate received of a call of `web`, which expects `reviews`, and what the call came to. */
async function called(certificate: TestCertificate, authority: TestAuthority = shop) {
  const received: string[] = [];
  const sockets = new Set<TLSSocket>();
  const { certPem: cert, keyPem: key } = certificate;
  const server = createServer({ cert, key, ca: authority.bundlePem(), requestCert: true }, (socket) => {
    sockets.add(socket);
    socket.on("data", (bytes) => {
      received.push(String(bytes));
      socket.end("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
    });
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
    services: { web: {}, reviews: { retry: "off", endpoints: [{ address }], identities: [authority.id("reviews").text] } },
  };
  const client = createMesh({ service: "web", config, transport: httpTransport(), identity: authority.source("web") });
  onTestFinished(() => client.close({ limit: 0 }));
  await client.ready();
  const error = await meshRequest(
    client,
    new MeshDispatcher(client),
  )("http://reviews/").then(
    () => null,
    (reason: unknown) => reason,
  );
  return { received, error: meshError(error) };
}

describe("a server", () => {
  test("that is who it should be is called", async () => {
    const { received, error } = await called(shop.issue("reviews"));
    expect([received.length, error]).toEqual([1, undefined]);
  });

  test.each(as("server"))("is sent nothing where its certificate is wrong: %s", async (kind) => {
    const { received, error } = await called(shop.wrong(kind, "reviews"));
    expect(received).toEqual([]);
    expect(error?.code).toBe("connect_failed");
    expect(error?.message).toContain("this side refused the server: ");
    expect(error?.message).toContain(said(kind, "reviews", "server"));
  });
});

describe("an authority of another trust domain, which is trusted for that one", () => {
  const ours = testAuthority({ trustDomain: "shop.test" });
  const bank = testAuthority({ trustDomain: "bank.test" });
  ours.trust(bank);
  // Right in all else for the side that presents it.
  const asOurs = (side: "client" | "server", service: string) => bank.wrong(`${side}-alone`, ours.id(service).text);
  const words = (service: string) =>
    `the certificate of spiffe://shop.test/${service}, issued by "O=bank.test, CN=test authority", has no path to a root of shop.test`;

  test("makes no caller of ours", async () => {
    const { port, problems, called: calls } = await reviews(ours);
    expect(await asked(port, options(asOurs("client", "web")))).toBe("");
    expect(problems.map(({ message }) => message).join()).toContain(words("web"));
    expect(await asked(port, options(bank.issue("web")))).toMatch(/^HTTP\/1\.1 403 /);
    expect(calls()).toBe(0);
    expect(await asked(port, options(ours.issue("web")))).toMatch(/served$/);
  });

  test("makes no server of ours", async () => {
    const { received, error } = await called(asOurs("server", "reviews"), ours);
    expect(error?.message).toContain(words("reviews"));
    const theirs = await called(bank.issue("reviews"), ours);
    expect(theirs.error?.message).toContain("expected spiffe://shop.test/reviews");
    expect([...received, ...theirs.received]).toEqual([]);
  });
});

test.each(["TLSv1.2", "TLSv1.3"] as const)("the session of who was let in lets nobody in (%s)", async (version) => {
  const { port, called: calls } = await reviews();
  const only = { minVersion: version, maxVersion: version };
  const secure = connectTls({ ...options(shop.issue("web")), ...only, socket: connectTcp(port, "127.0.0.1") });
  let session: Buffer | undefined;
  secure.on("session", (given) => (session = given));
  secure.on("error", () => {});
  secure.resume();
  secure.write("GET /open HTTP/1.1\r\nhost: reviews\r\nconnection: close\r\n\r\n");
  await once(secure, "close");
  expect(calls()).toBe(1);
  // Node's client may keep a session that has no ticket; there is nothing at the listener that it would be found by.
  session ??= secure.getSession();
  expect(await asked(port, { ...only, rejectUnauthorized: false, ...(session && { session }) })).toBe("");
  expect(calls()).toBe(1);
});
