import { afterAll, describe, expect, test } from "vitest";
import { systemClock } from "../../packages/core/src/clock.ts";
import { CLIENT_AUTH, HOUR, type IssuedCertificate } from "../../packages/core/test/authority.ts";
import { leafNow, middleNow, rootNow, stateOf, workload } from "../../packages/core/test/workload.ts";
import { connect, type Listening, listenPlainly, shake } from "./handshake.ts";

const WEB = "spiffe://shop.example/ns/shop/sa/web";
const API = "spiffe://shop.example/ns/shop/sa/api";
const BANK = "spiffe://bank.example/ns/bank/sa/api";
const shop = rootNow("shop root");
const upper = middleNow(shop, "shop upper");
const lower = middleNow(upper, "shop lower");
const bank = rootNow("bank root");
const stranger = rootNow("shop root");
const web = workload(stateOf([leafNow(lower, WEB), lower, upper], { "shop.example": [shop], "bank.example": [bank] }));
const past = { notBeforeMs: Date.now() - 2 * HOUR, notAfterMs: Date.now() - HOUR };
const future = { notBeforeMs: Date.now() + HOUR, notAfterMs: Date.now() + 2 * HOUR };

const servers: Listening[] = [];
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
});

async function serving(...chain: readonly [IssuedCertificate, ...IssuedCertificate[]]): Promise<number> {
  const server = await listenPlainly({ cert: chain.map((each) => each.pem).join(""), key: chain[0].keyPem });
  servers.push(server);
  return server.port;
}

const behind = [lower, upper] as const;

describe("a server that is who it has to be", () => {
  test("is believed through its intermediates, and knows who called", async () => {
    const api = workload(stateOf([leafNow(lower, API), ...behind], { "shop.example": [shop] }));
    const { client, server } = await shake(web.client([API]), api.server());
    expect(client).toEqual({ said: "hello", error: null, protocol: "TLSv1.3" });
    expect(server).toMatchObject({ peer: { spiffeId: WEB, trustDomain: "shop.example", namespace: "shop", serviceAccount: "web" } });
  });

  test("is believed by each pattern that its ID matches, of whichever trust domain", async () => {
    expect(
      await connect(web.client([API, "spiffe://shop.example/ns/shop/*"]), await serving(leafNow(lower, API), ...behind)),
    ).toMatchObject({ said: "hello" });
    expect(await connect(web.client([API, "spiffe://bank.example/*"]), await serving(leafNow(bank, BANK)))).toMatchObject({
      said: "hello",
    });
  });

  test("is believed by an authority of the bundle that is not self-signed", async () => {
    const partial = { "shop.example": [upper] };
    const caller = workload(stateOf([leafNow(lower, WEB), lower], partial));
    const api = workload(stateOf([leafNow(lower, API), lower], partial));
    const { client, server } = await shake(caller.client([API]), api.server());
    expect([client.said, client.error]).toEqual(["hello", null]);
    expect(server).toMatchObject({ peer: { spiffeId: WEB } });
  });

  test("is spoken to by TLS 1.2 if it can nothing better", async () => {
    const [api] = [leafNow(lower, API)];
    const server = await listenPlainly({ cert: [api, ...behind].map((each) => each.pem).join(""), key: api.keyPem, maxVersion: "TLSv1.2" });
    servers.push(server);
    expect(await connect(web.client([API]), server.port)).toEqual({ said: "hello", error: null, protocol: "TLSv1.2" });
  });
});

interface Impostor {
  readonly what: string;
  readonly chain: () => readonly [IssuedCertificate, ...IssuedCertificate[]];
  readonly expected?: readonly string[];
  /** What this side says. */
  readonly why: RegExp;
  /** OpenSSL does not see it: what is found here is all there is between it and the request. */
  readonly isFineForOpenssl?: true;
}

const impostors: readonly Impostor[] = [
  {
    what: "another workload of the trust domain",
    chain: () => [leafNow(lower, "spiffe://shop.example/ns/shop/sa/apis"), ...behind],
    why: /the peer is spiffe:\/\/shop\.example\/ns\/shop\/sa\/apis, signed by "CN=shop lower", then "CN=shop upper", then "CN=shop root"; expected spiffe:\/\/shop\.example\/ns\/shop\/sa\/api$/,
    isFineForOpenssl: true,
  },
  {
    what: "a workload of another trust domain, which is known",
    chain: () => [leafNow(bank, BANK)],
    why: /the peer is spiffe:\/\/bank\.example\/ns\/bank\/sa\/api, signed by "CN=bank root"; expected spiffe:\/\/shop/,
  },
  {
    what: "our ID signed by another trust domain's root, which signs for servers that are expected too",
    chain: () => [leafNow(bank, API)],
    expected: [API, BANK],
    why: /the certificate of spiffe:\/\/shop\.example\/ns\/shop\/sa\/api, issued by "CN=bank root", has no path to a root of shop\.example: it was signed by "CN=bank root" \(serial .*\), a root of bank\.example, which may not name shop\.example$/,
    isFineForOpenssl: true,
  },
  {
    what: "our ID signed by a stranger of our root's name",
    chain: () => [leafNow(stranger, API)],
    why: /has no path to a root of shop\.example: "CN=shop root" \(serial .*\) did not sign "spiffe:\/\/shop\.example\/ns\/shop\/sa\/api" \(serial .*\), which names it as its issuer$/,
  },
  {
    what: "itself, signed by itself",
    chain: () => [rootNow("api", { uris: [API], isAuthority: false, keyUsage: [0] })],
    why: /has no path to a root of shop\.example/,
  },
  {
    what: "a certificate without its intermediates",
    chain: () => [leafNow(lower, API)],
    why: /no root and no presented certificate is "CN=shop lower", the issuer of/,
  },
  {
    what: "an expired certificate",
    chain: () => [leafNow(lower, API, past), ...behind],
    why: /issued by "CN=shop lower", expired 20\d\d-/,
  },
  {
    what: "a certificate that is not valid yet",
    chain: () => [leafNow(lower, API, future), ...behind],
    why: /is not valid before 20\d\d-/,
  },
  {
    what: "an expired intermediate",
    chain: () => [leafNow(middleNow(shop, "shop old", past), API), middleNow(shop, "shop old", past)],
    why: /has no path to a root/,
  },
  {
    what: "two SPIFFE IDs, ours first",
    chain: () => [leafNow(lower, API, { uris: [API, "spiffe://shop.example/ns/shop/sa/root"] }), ...behind],
    why: /names 2 URIs .*, expected exactly one, its SPIFFE ID$/,
    isFineForOpenssl: true,
  },
  {
    what: "no SPIFFE ID but the host's name",
    chain: () => [leafNow(lower, API, { uris: [], dnsNames: ["web.example"] }), ...behind],
    why: /names no URI, expected exactly one, its SPIFFE ID$/,
    isFineForOpenssl: true,
  },
  {
    what: "an authority's certificate with our ID",
    chain: () => [middleNow(upper, "shop lower", { uris: [API], keyUsage: [0, 5] }), upper],
    why: /is an authority \(CA:TRUE\), expected a leaf$/,
    isFineForOpenssl: true,
  },
  {
    what: "our ID signed by a workload, which is no authority",
    chain: () => [leafNow(leafNow(lower, WEB, { subject: "web" }), API), leafNow(lower, WEB, { subject: "web" }), ...behind],
    why: /has no path to a root of shop\.example/,
  },
  {
    what: "a certificate for clients alone",
    chain: () => [leafNow(lower, API, { extendedKeyUsage: [CLIENT_AUTH] }), ...behind],
    why: /may not be used by a TLS server/,
  },
];

describe("a server that is not who it has to be", () => {
  test.each(impostors)("is refused, in words: $what", async ({ chain, expected = [API], why }) => {
    const { said, error } = await connect(web.client(expected), await serving(...chain()));
    expect(said).toBe("");
    expect(error?.message).toMatch(/^this side refused the server: /);
    expect(error?.message).toMatch(why);
  });

  test.each(impostors)("is refused by the last look alone, had nobody looked before: $what", async ({ chain, expected = [API], why }) => {
    const blind = { rejectUnauthorized: false, checkServerIdentity: () => undefined };
    const { said, error } = await connect(web.client(expected), await serving(...chain()), blind);
    expect(said).toBe("");
    expect(error?.message).toMatch(why);
  });

  test.each(impostors.filter(({ isFineForOpenssl }) => isFineForOpenssl))(
    "is refused before the last look, which somebody forgot: $what",
    async ({ chain, expected = [API], why }) => {
      const tls = web.client(expected);
      const { said, error } = await connect({ ...tls, refusal: () => null, watch: () => () => null }, await serving(...chain()));
      expect(said).toBe("");
      expect(error?.message).toMatch(why);
    },
  );
});

test("OpenSSL itself believes the roots of expected trust domains alone, had nobody else looked", async () => {
  const tls = web.client([API]);
  const options = { ...tls.connectOptions("web.example"), checkServerIdentity: () => undefined };
  const blind = { ...tls, connectOptions: () => options, refusal: () => null, watch: () => () => null };
  const { said, error } = await connect(blind, await serving(leafNow(bank, API)));
  expect([said, error?.message]).toEqual(["", expect.stringMatching(/unable to/)]);
});

test("a server that refuses TLS 1.2 and later is not spoken to", async () => {
  const api = leafNow(shop, API);
  const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
  const server = await listenPlainly({ cert: api.pem, key: api.keyPem, ...old });
  servers.push(server);
  const { said, error } = await connect(web.client([API]), server.port);
  expect([said, error?.message]).toEqual(["", expect.stringMatching(/protocol version|unsupported protocol/)]);
});

describe("what is spoken within", () => {
  const api = leafNow(shop, API);
  const speaking = async (alpn: readonly string[] | null) => {
    const server = await listenPlainly({ cert: api.pem, key: api.keyPem }, alpn);
    servers.push(server);
    return server.port;
  };

  test("is HTTP/2 only if the server says so", async () => {
    for (const protocol of ["http2", "grpc"] as const) {
      expect(await connect(web.client([API], { protocol }), await speaking(["h2", "http/1.1"]))).toMatchObject({ said: "hello" });
      const { said, error } = await connect(web.client([API], { protocol }), await speaking(null));
      expect([said, error?.message]).toEqual(["", "this side refused the server: it agreed to speak nothing by ALPN, expected h2"]);
    }
  });

  test("is nothing where the two have nothing in common", async () => {
    const { said, error } = await connect(web.client([API], { protocol: "http2" }), await speaking(["http/1.1"]));
    expect([said, error?.message]).toEqual(["", expect.stringMatching(/no application protocol/)]);
  });

  test("is HTTP/1.1 with a server that knows nothing of ALPN", async () => {
    expect(await connect(web.client([API]), await speaking(null))).toMatchObject({ said: "hello" });
    expect(await connect(web.client([API]), await speaking(["http/1.1"]))).toMatchObject({ said: "hello" });
  });
});

test("nobody is believed once our own certificate has expired, even in the middle of a handshake", async () => {
  let lateMs = 0;
  const clock = { ...systemClock, wallTime: () => systemClock.wallTime() + lateMs };
  const brief = workload(stateOf([leafNow(shop, WEB)], { "shop.example": [shop] }), clock);
  const tls = brief.client([API]);
  const options = tls.connectOptions("web.example");
  lateMs = 2 * HOUR;
  expect(() => tls.connectOptions("web.example")).toThrow(expect.objectContaining({ code: "no_identity" }));
  const { said, error } = await connect({ ...tls, connectOptions: () => options }, await serving(leafNow(shop, API)));
  expect([said, error?.message]).toEqual(["", expect.stringMatching(/this process has no certificate that is valid now: .* expired 20/)]);
  brief.identity.close();
});
