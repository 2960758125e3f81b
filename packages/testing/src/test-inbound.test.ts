import { generateKeyPairSync, sign } from "node:crypto";
import { type Layer, localResponse } from "@heddle/core";
import { testAuthority } from "@heddle/testing/authority";
import { expect, test } from "vitest";
import { type TestMesh, type TestMeshOptions, testMesh } from "./test-mesh.ts";
import { virtualClock } from "./virtual-clock.ts";

const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const ISSUER = "https://issuer.example";
const WEB = "spiffe://shop.test/web";

function ordersMesh(inbound: object, options: Partial<TestMeshOptions> = {}): TestMesh {
  const mesh = { trustDomain: "shop.test", identityTemplate: "spiffe://{trustDomain}/{service}" };
  return testMesh({ service: "orders", config: { apiVersion: "heddle/v1", mesh, services: { orders: { inbound } } }, ...options });
}

const jwt = [
  { issuer: ISSUER, jwks: { inline: { keys: [publicKey.export({ format: "jwk" })] } }, claimHeaders: [{ header: "x-user", claim: "sub" }] },
];

function signed(claims: object, key = privateKey): string {
  const text = [{ alg: "ES256" }, { iss: ISSUER, ...claims }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
    .join(".");
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}

const ordersIdentity = (lifetime: string) =>
  testAuthority({ trustDomain: "shop.test", clock: virtualClock() }).source("orders", { lifetime });

const refusal = { served: null, status: 401 };

test("a token is verified by its signature, and its end is that of virtual time", async () => {
  await using t = ordersMesh({ mtls: "disable", jwt });
  const exp = t.clock.wallTime() / 1_000 + 600;
  const token = signed({ sub: "ada", exp });
  const url = "http://orders/api/7";
  const first = await t.inbound({ url, token, headers: { "X-User": "root" } });
  expect([first.status, first.served?.jwt?.subject, first.served?.headers["x-user"]]).toEqual([200, "ada", "ada"]);
  expect(
    await t.inbound({ url, token: signed({ sub: "ada", exp }, generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey) }),
  ).toMatchObject(refusal);
  await t.advance("10m");
  expect((await t.inbound({ url, token })).status).toBe(200);
  await t.advance("1m");
  expect(await t.inbound({ url, token })).toMatchObject(refusal);
});

test("rules decide by the peer that is named and the path as it is written, before the application is asked", async () => {
  const authorize = [{ name: "web-reads", from: [{ principals: [WEB] }], to: [{ methods: ["GET"], paths: ["/api/*"] }] }];
  await using t = ordersMesh({ mtls: "permissive", authorize }, { identity: ordersIdentity("1h") });
  const app = () => ({ status: 201, json: { id: 7 } });
  const reply = await t.inbound({ url: "http://Orders:80/x/../api/7?full", peer: WEB, app });
  expect([reply.status, await reply.json()]).toEqual([201, { id: 7 }]);
  expect(reply.served).toMatchObject({ method: "GET", authority: "orders:80", path: "/api/7?full", peer: { spiffeId: WEB } });
  expect(t.report(reply)?.service).toBe("orders");
  const refused = await t.inbound({ method: "DELETE", url: "http://orders/api/7", peer: WEB, app });
  expect([refused.status, refused.served, refused.headers["x-heddle-error"]]).toEqual([403, null, "permission_denied"]);
  expect((await t.inbound({ url: "http://orders/api/7", app })).served).toBeNull();
});

test("strict serves who proves an identity, disable lets nobody prove one, and nobody says who it is by a header", async () => {
  await using strict = ordersMesh({ mtls: "strict" }, { identity: ordersIdentity("1h") });
  const url = "http://orders/";
  const forged = { "x-forwarded-client-cert": `URI=${WEB}` };
  const served = await strict.inbound({ url, peer: WEB, headers: forged });
  expect([served.status, served.served?.headers["x-forwarded-client-cert"]]).toEqual([200, undefined]);
  const plain = await strict.inbound({ url, headers: forged });
  expect([plain.status, plain.headers["x-heddle-error"]]).toEqual([403, "mtls_required"]);
  await using disabled = ordersMesh({ mtls: "disable" });
  expect((await disabled.inbound({ url, peer: WEB })).served?.peer).toBeUndefined();
});

test("once the certificate of this side has ended nobody can shake hands with it", async () => {
  await using t = ordersMesh({ mtls: "permissive" }, { identity: ordersIdentity("1h") });
  expect((await t.inbound({ url: "http://orders/", peer: WEB })).status).toBe(200);
  await t.advance("2h");
  await expect(t.inbound({ url: "http://orders/", peer: WEB })).rejects.toMatchObject({ code: "no_identity" });
  expect((await t.inbound({ url: "http://orders/" })).status).toBe(200);
});

test("layers of the application's own are run, and an edit holds for the next request", async () => {
  const requireKey: Layer = (next) => async (request) => (request.headers["x-key"] === "k" ? next(request) : localResponse(401, "no key"));
  const config = (inbound: object) => ({ apiVersion: "heddle/v1", services: { orders: { inbound } } });
  await using t = testMesh({ service: "orders", config: config({ mtls: "disable" }), layers: [{ at: "inbound", layer: requireKey }] });
  const ask = (headers: Record<string, string>) => t.inbound({ url: "http://orders/", headers });
  expect([(await ask({ "X-Key": "k" })).status, await (await ask({})).text()]).toEqual([200, "no key"]);
  t.update(config({ mtls: "disable", authorize: [{ name: "nobody", action: "deny", rules: [{}] }] }));
  expect((await ask({ "X-Key": "k" })).status).toBe(403);
});

test("what the application throws is thrown, and what cannot be sent is said", async () => {
  await using t = ordersMesh({ mtls: "disable" });
  const broken = () => {
    throw new Error("bug");
  };
  await expect(t.inbound({ url: "http://orders/", app: broken })).rejects.toThrow("bug");
  await expect(t.inbound({ url: "orders" })).rejects.toThrow(/inbound: url: "orders" is not a URL/);
  await expect(t.inbound({ url: "http://orders/", peer: "web" })).rejects.toThrow(/^inbound: peer: /);
  await expect(t.inbound({ url: "http://orders/", pear: WEB } as never)).rejects.toThrow(/pear/);
  await using client = testMesh({ config: { apiVersion: "heddle/v1", services: {} } });
  await expect(client.inbound({ url: "http://orders/" })).rejects.toThrow(/it has no service/);
});
