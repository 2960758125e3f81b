import type { ServerResponse } from "node:http";
import { context } from "@heddle/core";
import { testAuthority } from "@heddle/testing/authority";
import { describe, expect, test } from "vitest";
import { ISSUER, signingKey, tokenOf } from "../../packages/core/test/token-issuer.ts";
import { answerTo, guarded, statusOf } from "./guarded.ts";

// What a caller writes of where it comes from, what it asks for and who it is, in the headers by which proxies tell such things to each other.

const shop = testAuthority();
const admin = shop.id("admin").text;

interface Seen {
  readonly peer: string | undefined;
  readonly forwarded: number;
  readonly deadline: Date | undefined;
  readonly user: unknown;
}

async function reviews(inbound: object) {
  const seen: Seen[] = [];
  const application = (request: { readonly headers: NodeJS.Dict<unknown> }, response: ServerResponse) => {
    const inside = context();
    seen.push({
      peer: inside?.peer?.spiffeId,
      forwarded: inside?.forwardedPeers?.length ?? 0,
      deadline: inside?.deadline,
      user: request.headers["x-user"],
    });
    response.end("served");
  };
  const { listener } = await guarded(inbound, application as never, { identity: shop.source("reviews"), onProblem: () => {} });
  const ask = async (first: string, ...fields: readonly string[]) =>
    statusOf(await answerTo(listener.port, `${[first, "Host: reviews", ...fields, "Connection: close"].join("\r\n")}\r\n\r\n`));
  return { ask, seen, port: listener.port };
}

const open = { name: "open", to: [{ hosts: ["reviews"], methods: ["GET"], paths: ["/open"] }] };
const byAdmin = { name: "admin", from: [{ principals: [admin] }] };
const fromInside = { name: "inside", from: [{ remoteIpBlocks: ["10.0.0.0/8"] }] };

/** Each names what a rule would allow. */
const CLAIMS: Readonly<Record<string, string>> = {
  "x-original-url": "/open",
  "x-rewrite-url": "/open",
  "x-original-uri": "/open",
  "x-forwarded-uri": "/open",
  "x-forwarded-path": "/open",
  "x-envoy-original-path": "/open",
  "x-envoy-original-method": "GET",
  "x-http-method-override": "GET",
  "x-http-method": "GET",
  "x-method-override": "GET",
  "x-forwarded-host": "reviews",
  forwarded: `for=10.0.0.1;host=reviews;proto=https;by=${admin}`,
  "x-real-ip": "10.0.0.1",
  "x-forwarded-for": "10.0.0.1",
  "x-client-ip": "10.0.0.1",
  "true-client-ip": "10.0.0.1",
  "cf-connecting-ip": "10.0.0.1",
  "x-envoy-external-address": "10.0.0.1",
  "x-envoy-internal": "true",
  "x-envoy-peer-metadata-id": "sidecar~10.0.0.1~admin.shop~shop.svc.cluster.local",
  "x-envoy-downstream-service-cluster": "admin",
  "x-forwarded-client-cert": `By=spiffe://shop.test/reviews;URI=${admin}`,
  "x-forwarded-proto": "https",
  "x-ssl-client-verify": "SUCCESS",
  "x-ssl-client-s-dn": "CN=admin",
  "x-client-cert": admin,
  "x-heddle-peer": admin,
  "x-heddle-identity": admin,
  "x-heddle-service": "admin",
  "x-heddle-error": "none",
  "x-heddle-authorization": "allowed",
  "heddle-peer": admin,
  "x-spiffe-id": admin,
  "x-jwt-payload": Buffer.from(JSON.stringify({ iss: ISSUER, sub: "jane" })).toString("base64url"),
  "x-endpoint-api-userinfo": Buffer.from(JSON.stringify({ issuer: ISSUER, id: "jane" })).toString("base64url"),
};

describe("a header by which proxies tell each other something", () => {
  test.each(Object.entries(CLAIMS))("opens nothing by itself, however it is written: %s", async (name, value) => {
    const { ask, seen } = await reviews({ mtls: "permissive", authorize: [open, byAdmin, fromInside] });
    // 401, as a rule would let in who proves to be somebody.
    for (const field of [`${name}: ${value}`, `${name.toUpperCase()}: ${value}`, `${name.replaceAll("-", "_")}: ${value}`]) {
      expect([field, await ask("POST /admin HTTP/1.1", field, field)]).toEqual([field, 401]);
      expect([field, await ask("GET /admin HTTP/1.1", field)]).toEqual([field, 401]);
    }
    expect(seen).toEqual([]);
  });

  test("makes nobody a peer and sets no deadline, where its caller proves nothing", async () => {
    const { ask, seen } = await reviews({ mtls: "permissive", authorize: [open] });
    const fields = ["x-envoy-attempt-count: 3", "x-envoy-expected-rq-timeout-ms: 0", "grpc-timeout: 0n"];
    const all = [...fields, ...Object.entries(CLAIMS).map(([name, value]) => `${name}: ${value}`)];
    expect(await ask("GET /open HTTP/1.1", ...all)).toBe(200);
    expect(seen).toEqual([{ peer: undefined, forwarded: 0, deadline: undefined, user: undefined }]);
  });
});

describe("a header that Connection names, or that comes behind the body", () => {
  const blocked = { name: "blocked", action: "deny", when: [{ key: "request.headers[x-blocked]", values: ["*"] }] };
  const blue = { name: "blue", when: [{ key: "request.headers[x-team]", values: ["blue"] }] };

  test("is still there for a rule that denies by it", async () => {
    const { ask, seen } = await reviews({ mtls: "permissive", authorize: [blocked, { name: "all", rules: [{}] }] });
    expect(await ask("GET /open HTTP/1.1", "X-Blocked: yes", "Connection: x-blocked")).toBe(403);
    expect(seen).toEqual([]);
  });

  test("is not there for a rule that allows by it", async () => {
    const { ask, port, seen } = await reviews({ mtls: "permissive", authorize: [blue] });
    const trailed = `POST /open HTTP/1.1\r\nHost: reviews\r\nTransfer-Encoding: chunked\r\nTrailer: x-team\r\nConnection: close\r\n\r\n0\r\nx-team: blue\r\n\r\n`;
    expect(statusOf(await answerTo(port, trailed))).toBe(403);
    expect(await ask("GET /open?x-team=blue HTTP/1.1", "Cookie: x-team=blue")).toBe(403);
    expect(seen).toEqual([]);
  });

  test("is what the token says where claims go into it", async () => {
    const key = signingKey();
    const jwt = [{ issuer: ISSUER, jwks: { inline: { keys: [key.jwk] } }, claimHeaders: [{ header: "x-user", claim: "sub" }] }];
    const { ask, seen } = await reviews({ mtls: "permissive", jwt });
    const token = tokenOf(key, { exp: Math.floor(Date.now() / 1_000) + 600 });
    expect(await ask("GET /open HTTP/1.1", `Authorization: Bearer ${token}`, "Connection: x-user, authorization", "X-User: root")).toBe(
      200,
    );
    expect(await ask("GET /open HTTP/1.1", "Connection: x-user", "X-User: root", "x-user: root")).toBe(200);
    expect(seen.map(({ user }) => user)).toEqual(["jane", undefined]);
  });
});
