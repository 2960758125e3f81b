import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { AuthorityFiles } from "../../packages/core/src/identity/authority-files.ts";
import { simpleTls } from "../../packages/core/src/identity/simple-tls.ts";
import type { TlsSettings } from "../../packages/core/src/model/backend.ts";
import type { Problem } from "../../packages/core/src/model/problem.ts";
import { type CertificateWish, extension, HOUR, type IssuedCertificate, SERVER_AUTH } from "../../packages/core/test/authority.ts";
import { contextPrimitive, sequence } from "../../packages/core/test/der-writer.ts";
import { leafNow, middleNow, rootNow } from "../../packages/core/test/workload.ts";
import { connect, type Listening, listen, listenPlainly } from "./handshake.ts";

const ca = rootNow("an authority of the world");
const other = rootNow("another authority");
const middle = middleNow(ca, "its issuing authority");
const folder = mkdtempSync(join(tmpdir(), "heddle-simple-"));
const caFile = join(folder, "ca.crt");
writeFileSync(caFile, ca.pem);

const listening: Listening[] = [];
afterAll(async () => {
  await Promise.all(listening.map((server) => server.close()));
  rmSync(folder, { recursive: true });
});

function named(wish: CertificateWish, issuer: IssuedCertificate = ca): IssuedCertificate {
  return leafNow(issuer, "", { uris: [], extendedKeyUsage: [SERVER_AUTH], ...wish });
}

async function serving(...chain: readonly [IssuedCertificate, ...IssuedCertificate[]]): Promise<number> {
  const server = await listenPlainly({ cert: chain.map((each) => each.pem).join(""), key: chain[0].keyPem });
  listening.push(server);
  return server.port;
}

function client(settings: Partial<TlsSettings> = {}, files = new AuthorityFiles(() => {})) {
  return simpleTls({ subjectAltNames: [], authorities: { kind: "file", path: caFile }, sni: null, ...settings }, "http1", files);
}

const met = async (authority: string, settings: Partial<TlsSettings>, ...chain: readonly [IssuedCertificate, ...IssuedCertificate[]]) => {
  const { said, error } = await connect(client(settings), await serving(...chain), {}, authority);
  return error === null ? said : error.message;
};

describe("the name of the host called", () => {
  test.each([
    ["api.example", "api.example", true],
    ["API.Example:8443", "api.example", true],
    ["api.example.", "api.example", true],
    ["a.api.example", "*.api.example", true],
    ["api.example", "*.api.example", false],
    ["b.a.api.example", "*.api.example", false],
    ["api.example.evil", "api.example", false],
    ["evil.example", "api.example", false],
  ])("%s by a certificate of %s: %s", async (authority, name, isGood) => {
    const said = await met(authority, {}, named({ dnsNames: ["first.example", name] }));
    if (isGood) expect(said).toBe("hello");
    else
      expect(said).toMatch(
        /^this side refused the server: expected a certificate of ".*"; its certificate names "DNS:first\.example, DNS:.*", issued by "an authority of the world", valid until 20/,
      );
  });

  test("is verified through intermediates", async () => {
    expect(await met("api.example", {}, named({ dnsNames: ["api.example"] }, middle), middle)).toBe("hello");
  });

  test("may be an address, which no name stands for", async () => {
    const address = (bytes: readonly number[]) => extension("2.5.29.17", false, sequence(contextPrimitive(7, Buffer.from(bytes))));
    const v6 = [...Array<number>(15).fill(0), 1];
    expect(await met("127.0.0.1:443", {}, named({ extensions: [address([127, 0, 0, 1])] }))).toBe("hello");
    expect(await met("[::1]:443", {}, named({ extensions: [address(v6)] }))).toBe("hello");
    expect(await met("127.0.0.2", {}, named({ extensions: [address([127, 0, 0, 1])] }))).toMatch(
      /expected a certificate of "127\.0\.0\.2"/,
    );
    expect(await met("127.0.0.1", {}, named({ dnsNames: ["127.0.0.1"] }))).toMatch(/expected a certificate of "127\.0\.0\.1"/);
  });

  test("does not count where it is the subject's", async () => {
    expect(await met("api.example", {}, named({ subject: "api.example" }))).toMatch(/its certificate names nothing/);
    const uri = { subject: "api.example", uris: ["spiffe://shop.example/x"] };
    expect(await met("api.example", {}, named(uri))).toMatch(/expected a certificate of "api\.example"/);
  });
});

describe("given names", () => {
  test("count in place of the host's, and one is enough", async () => {
    const api = named({ dnsNames: ["internal.example"], uris: ["https://ids.example/api"] });
    expect(await met("api.example", { subjectAltNames: ["x.example", "internal.example"] }, api)).toBe("hello");
    expect(await met("api.example", { subjectAltNames: ["https://ids.example/api"] }, api)).toBe("hello");
    expect(await met("internal.example", { subjectAltNames: ["api.example"] }, api)).toMatch(/expected a certificate of "api\.example"/);
    expect(await met("api.example", { subjectAltNames: ["https://ids.example/ap"] }, api)).toMatch(/expected a certificate of/);
  });

  test("of URIs are compared whole, and not with what a name quotes", async () => {
    const forged = named({ dnsNames: ["a.example, URI:https://ids.example/api"] });
    expect(await met("a.example", { subjectAltNames: ["https://ids.example/api"] }, forged)).toMatch(/expected a certificate of/);
  });
});

test.each([
  [
    "of another authority",
    () => named({ dnsNames: ["api.example"] }, other),
    /^this side refused the server: (?:unable to .*; its certificate names "dns:api\.example", issued by "another authority"|openssl did not verify it: unable to get issuer cert locally)/,
  ],
  [
    "that has expired",
    () => named({ dnsNames: ["api.example"], notBeforeMs: Date.now() - 2 * HOUR, notAfterMs: Date.now() - HOUR }),
    /expired/,
  ],
] as const)("a certificate %s is refused, by the last look alone too", async (_what, make, why) => {
  const port = await serving(make());
  for (const blind of [{}, { rejectUnauthorized: false, checkServerIdentity: () => undefined }]) {
    const { said, error } = await connect(client(), port, blind, "api.example");
    expect([said, error?.message.toLowerCase().replaceAll("_", " ")]).toEqual(["", expect.stringMatching(why)]);
  }
});

test("the last look refuses a wrong name, had nobody looked before", async () => {
  const blind = { checkServerIdentity: () => undefined };
  const { said, error } = await connect(client(), await serving(named({ dnsNames: ["evil.example"] })), blind, "api.example");
  expect([said, error?.message]).toEqual(["", expect.stringMatching(/expected a certificate of "api\.example"/)]);
});

test("the server is asked for by the host's name or the one that is set, never by an address; and nothing is presented", async () => {
  const asked: (string | false | null | undefined)[] = [];
  const presented: number[] = [];
  const issued = named({ dnsNames: ["api.example"] });
  const { createSecureContext } = await import("node:tls");
  const secureContext = createSecureContext({ cert: issued.pem, key: issued.keyPem });
  const server = await listen({
    socketOptions: () => ({ isServer: true, secureContext, requestCert: true, rejectUnauthorized: false }),
    verify(socket) {
      asked.push((socket as { servername?: string | false | null }).servername);
      presented.push(Object.keys(socket.getPeerCertificate()).length);
      return { peer: null, isCurrent: () => true };
    },
  });
  listening.push(server);
  await connect(client(), server.port, {}, "api.example:8443");
  await connect(client({ sni: "shown.example" }), server.port, {}, "api.example");
  await connect(client({ subjectAltNames: ["api.example"] }), server.port, {}, "10.0.0.1:443");
  expect(asked).toEqual(["api.example", "shown.example", false]);
  expect(presented).toEqual([0, 0, 0]);
});

describe("a file of authorities", () => {
  const path = join(folder, "changing.crt");
  const swap = (text: string) => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };

  test("is read again when it was replaced, and a bad one leaves the last good in force", async () => {
    const problems: Problem[] = [];
    const files = new AuthorityFiles((problem) => void problems.push(problem));
    const tls = client({ authorities: { kind: "file", path } }, files);
    expect(() => tls.connectOptions("api.example")).toThrow(
      expect.objectContaining({
        code: "connect_failed",
        message: expect.stringMatching(/^no authorities to verify the server by: .*changing\.crt cannot be read: ENOENT/),
      }),
    );
    const port = await serving(named({ dnsNames: ["api.example"] }));
    const outcome = async (): Promise<string> => (await connect(tls, port, {}, "api.example")).said || "refused";
    swap(ca.pem);
    expect(await outcome()).toBe("hello");
    const before = tls.connectOptions("api.example").secureContext;
    expect(tls.connectOptions("b.example").secureContext).toBe(before);
    for (let again = 0; again < 2; again++) {
      swap(`${ca.pem}-----BEGIN CERT`);
      expect(await outcome()).toBe("hello");
    }
    swap(other.pem);
    expect(await outcome()).toBe("refused");
    swap(other.pem + ca.pem);
    expect(await outcome()).toBe("hello");
    rmSync(path);
    expect(await outcome()).toBe("hello");
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/ENOENT.*; no connection that needs it is made$/),
      expect.stringMatching(/a malformed PEM boundary.*; the last good ones stay in force$/),
      expect.stringMatching(/ENOENT.*; the last good ones stay in force$/),
    ]);
  });

  test.each([
    ["nothing", (): string => "", /holds no certificate/],
    ["a key", (): string => ca.pem + ca.keyPem, /found PRIVATE KEY, expected certificates of authorities alone/],
    ["no certificate within", (): string => "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", /is no X\.509 certificate/],
  ] as const)("that holds %s is refused, and no connection is made", (_what, text, why) => {
    const bad = join(folder, "bad.crt");
    writeFileSync(bad, text());
    expect(() => client({ authorities: { kind: "file", path: bad } }).connectOptions("a.example")).toThrow(why);
  });
});

test("settings that mean the same have the same key, and any other another", () => {
  const keys = [
    {},
    { subjectAltNames: ["a", "b"] },
    { subjectAltNames: ["a"] },
    { sni: "a" },
    { authorities: { kind: "system" } },
    { authorities: { kind: "file", path: "/other" } },
  ] satisfies Partial<TlsSettings>[];
  expect(new Set(keys.map((settings) => client(settings).key)).size).toBe(keys.length);
  expect(client({ subjectAltNames: ["b", "a"] }).key).toBe(client({ subjectAltNames: ["a", "b"] }).key);
});
