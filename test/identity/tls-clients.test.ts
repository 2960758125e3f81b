import { type AddressInfo, createServer } from "node:net";
import { connect as connectTls, TLSSocket } from "node:tls";
import { afterAll, describe, expect, test } from "vitest";
import { HOUR, type IssuedCertificate, SERVER_AUTH } from "../../packages/core/test/authority.ts";
import { leafNow, middleNow, rootNow, stateOf, workload } from "../../packages/core/test/workload.ts";
import { connectPlainly, type Found, type Listening, listen } from "./handshake.ts";

const API = "spiffe://shop.example/ns/shop/sa/api";
const WEB = "spiffe://shop.example/ns/shop/sa/web";
const BANK = "spiffe://bank.example/ns/default/dc/west/svc/ledger";
const shop = rootNow("shop root");
const upper = middleNow(shop, "shop upper");
const lower = middleNow(upper, "shop lower");
const bank = rootNow("bank root");
const behind = [lower, upper] as const;
const past = { notBeforeMs: Date.now() - 2 * HOUR, notAfterMs: Date.now() - HOUR };
const future = { notBeforeMs: Date.now() + HOUR, notAfterMs: Date.now() + 2 * HOUR };
const api = workload(stateOf([leafNow(lower, API), ...behind], { "shop.example": [shop], "bank.example": [bank] }));

const listening: Listening[] = [];
afterAll(async () => {
  await Promise.all(listening.map((server) => server.close()));
});

async function calledBy(chain: readonly IssuedCertificate[], mode: "strict" | "permissive" = "strict", other: object = {}) {
  const server = await listen(api.server(mode));
  listening.push(server);
  const presenting = chain[0] && { cert: chain.map((each) => each.pem).join(""), key: chain[0].keyPem };
  const [client, found] = await Promise.all([connectPlainly(server.port, { ...presenting, ...other }), server.found()]);
  return { client, found };
}

const reasonOf = (found: Found): string => ("refused" in found ? found.refused : "broken" in found ? found.broken : "accepted");

describe.each(["TLSv1.2", "TLSv1.3"] as const)("over %s, a client", (version) => {
  test("is known through its intermediates", async () => {
    const issued = leafNow(lower, WEB);
    const { client, found } = await calledBy([issued, ...behind], "strict", { minVersion: version, maxVersion: version });
    expect([client.said, client.protocol]).toEqual(["hello", version]);
    expect(found).toMatchObject({
      peer: {
        spiffeId: WEB,
        trustDomain: "shop.example",
        namespace: "shop",
        serviceAccount: "web",
        fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    });
  });

  test("is known by its own trust domain's root", async () => {
    const { found } = await calledBy([leafNow(bank, BANK)], "strict", { maxVersion: version });
    expect(found).toMatchObject({ peer: { spiffeId: BANK, trustDomain: "bank.example", namespace: "default", serviceAccount: null } });
  });

  test("without a certificate is refused where identity is demanded, and is nobody where it is not", async () => {
    const strict = await calledBy([], "strict", { maxVersion: version });
    expect(reasonOf(strict.found)).toBe("the peer presented no certificate, expected an X509-SVID");
    expect(strict.client.said).toBe("");
    const permissive = await calledBy([], "permissive", { maxVersion: version });
    expect(permissive.found).toMatchObject({ peer: null });
    expect(permissive.client.said).toBe("hello");
  });
});

const impostors: readonly { readonly what: string; readonly chain: () => readonly IssuedCertificate[]; readonly why: RegExp }[] = [
  {
    what: "of an unknown trust domain",
    chain: () => [leafNow(shop, "spiffe://evil.example/x")],
    why: /is of a trust domain without a bundle here; known are shop\.example, bank\.example$/,
  },
  {
    what: "whose ID another trust domain's root signed",
    chain: () => [leafNow(bank, WEB)],
    why: /a root of bank\.example, which may not name shop\.example$/,
  },
  {
    what: "that a stranger of our root's name signed",
    chain: () => [leafNow(rootNow("shop root"), WEB)],
    why: /has no path to a root of shop\.example: "CN=shop root" \(serial .*\) did not sign/,
  },
  {
    what: "that brings the stranger's root along",
    chain: () => {
      const stranger = rootNow("stranger");
      return [leafNow(stranger, WEB), stranger];
    },
    why: /has no path to a root of shop\.example/,
  },
  { what: "without its intermediates", chain: () => [leafNow(lower, WEB)], why: /no root and no presented certificate is "CN=shop lower"/ },
  { what: "that has expired", chain: () => [leafNow(lower, WEB, past), ...behind], why: /issued by "CN=shop lower", expired 20/ },
  { what: "that is not valid yet", chain: () => [leafNow(lower, WEB, future), ...behind], why: /is not valid before 20/ },
  { what: "with two SPIFFE IDs", chain: () => [leafNow(lower, WEB, { uris: [WEB, API] }), ...behind], why: /names 2 URIs/ },
  {
    what: "that is an authority",
    chain: () => [middleNow(upper, "shop lower", { uris: [WEB], keyUsage: [0, 5] }), upper],
    why: /is an authority \(CA:TRUE\)/,
  },
  {
    what: "that a workload signed",
    chain: () => {
      const web = leafNow(lower, WEB, { subject: "web" });
      return [leafNow(web, API), web, ...behind];
    },
    why: /has no path to a root of shop\.example/,
  },
  {
    what: "for servers alone",
    chain: () => [leafNow(lower, WEB, { extendedKeyUsage: [SERVER_AUTH] }), ...behind],
    why: /may not be used by a TLS client/,
  },
];

describe.each(["strict", "permissive"] as const)("where mtls is %s, a client whose certificate is", (mode) => {
  test.each(impostors)("$what is refused", async ({ chain, why }) => {
    const { client, found } = await calledBy(chain(), mode);
    expect(reasonOf(found)).toMatch(why);
    expect(client.said).toBe("");
  });
});

describe("the handshake itself", () => {
  const web = leafNow(lower, WEB);

  test("is refused below TLS 1.2", async () => {
    const { client, found } = await calledBy([web, ...behind], "strict", {
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "DEFAULT@SECLEVEL=0",
    });
    expect(reasonOf(found)).toMatch(/unsupported protocol/);
    expect(client.error?.message).toMatch(/protocol version|unsupported protocol/);
  });

  test("is refused to a client that wants to speak something else", async () => {
    const { client, found } = await calledBy([web, ...behind], "strict", { ALPNProtocols: ["h2"] });
    expect(reasonOf(found)).not.toBe("accepted");
    expect(client.error?.message).toMatch(/no application protocol/);
  });

  test("is not repeated on a connection, by which a client could become another", async () => {
    const server = createServer((raw) => {
      const socket = new TLSSocket(raw, api.server().socketOptions());
      socket.on("error", () => raw.destroy());
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    const presenting = { cert: [web, ...behind].map((each) => each.pem).join(""), key: web.keyPem };
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, maxVersion: "TLSv1.2", ...presenting });
    const refused = await new Promise<Error | null>((resolve) => {
      socket.on("error", resolve);
      socket.once("secureConnect", () => socket.renegotiate({}, resolve));
    });
    expect(refused?.message).toMatch(/no renegotiation/);
    socket.destroy();
    await new Promise((done) => server.close(done));
  });
});

describe("whoever was refused", () => {
  test("is counted each time, and told once for each reason", () => {
    const busy = workload(stateOf([leafNow(shop, API)], { "shop.example": [shop] }));
    const tls = busy.server();
    for (let index = 0; index < 10; index++) tls.refused("it presented no certificate", `10.0.0.${index}`);
    tls.refused("it has expired", "10.0.0.9");
    expect(tls.refusals).toBe(11);
    expect(busy.problems.map(({ message }) => message)).toEqual([
      "this side refused a connection from 10.0.0.0: it presented no certificate",
      "this side refused a connection from 10.0.0.9: it has expired; 9 other connections were refused since the last word",
    ]);
    busy.identity.close();
  });
});

test("without a certificate of its own a listener makes no options", () => {
  const none = workload(null);
  expect(() => none.server().socketOptions()).toThrow(expect.objectContaining({ code: "no_identity" }));
  none.identity.close();
});
