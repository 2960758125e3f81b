import type { ExplainInboundRequest } from "@heddle/core";
import { expect, test } from "vitest";
import { ISSUER, signingKey, tokenOf } from "../../packages/core/test/token-issuer.ts";
import { answerTo, guarded, statusOf } from "./guarded.ts";

// What mesh.explainInbound says of a request, beside what becomes of it on the wire.

const key = signingKey("P-256", "k1");
const rule = { issuer: ISSUER, jwks: { inline: { keys: [key.jwk] } }, claimHeaders: [{ header: "x-user", claim: "sub" }] };
const header = (name: string, value: string) => ({ when: [{ key: `request.headers[${name}]`, values: [value] }] });

const INBOUND = {
  jwt: [rule],
  authorize: [
    { name: "no-port", action: "deny", to: [{ hosts: ["reviews:80"] }] },
    { name: "no-forwarded", action: "deny", ...header("x-forwarded-client-cert", "denied") },
    { name: "no-token-left", action: "deny", ...header("authorization", "*") },
    { name: "jane", ...header("x-user", "jane") },
    { name: "forwarded", ...header("x-forwarded-client-cert", "*") },
    { name: "host", to: [{ hosts: ["reviews:8080"] }] },
    { name: "named", ...header("host", "named") },
    { name: "putters", to: [{ methods: ["PUT"] }] },
  ],
};
const claims = { iss: ISSUER, sub: "jane" };
const exp = Math.floor(Date.now() / 1000) + 600;
const bearer = { authorization: `Bearer ${tokenOf(key, { exp })}` };

type Case = readonly [
  what: string,
  status: number,
  wanted: Partial<ExplainInboundRequest>,
  /** In which header it comes whose claims are told. */
  token: Readonly<Record<string, string>>,
];

const NONE = {};

const CASES: readonly Case[] = [
  ["a claim header that the caller wrote itself", 403, { headers: { "x-user": "jane" } }, NONE],
  ["the claim header of a valid token, in which no token is left", 200, { claims }, bearer],
  ["a claim header that the caller wrote beside a valid token", 200, { headers: { "X-User": "root" }, claims }, bearer],
  [
    "a valid token of somebody else",
    403,
    { claims: { ...claims, sub: "bob" } },
    { authorization: `Bearer ${tokenOf(key, { sub: "bob", exp })}` },
  ],
  ["a token in a header whose claims nobody gave", 401, { headers: { authorization: "Bearer forged" } }, NONE],
  ["a token in a header whose claims were given", 200, { headers: bearer, claims }, NONE],
  ["something in the header that is no token", 403, { headers: { authorization: "Basic YTpi", "x-user": "jane" } }, NONE],
  ["what a proxy would say, of somebody who proves nothing", 403, { headers: { "x-forwarded-client-cert": "By=x" } }, NONE],
  ["the same where it would be denied", 200, { headers: { "x-forwarded-client-cert": "denied" }, claims }, bearer],
  ["a port that the scheme implies", 403, { url: "http://reviews:80/", claims }, bearer],
  ["another port, and a host in capitals", 200, { url: "http://Reviews:8080/" }, NONE],
  ["a host where rules look at the header", 200, { url: "http://user@named/" }, NONE],
  ["a method that is allowed", 200, { method: "PUT" }, NONE],
];

test.each(CASES)("%s is explained as it is answered", async (_what, status, wanted, token) => {
  const { mesh, listener } = await guarded(INBOUND, (_request, response) => response.end("served"));
  const { method = "GET", url = "http://reviews/", headers = {} } = wanted;
  const fields = Object.entries({ ...headers, ...token }).map(([name, value]) => `${name}: ${value}\r\n`);
  const host = /\/\/(?:.*@)?([^/]*)/.exec(url)?.[1];
  const answer = await answerTo(
    listener.port,
    `${method} / HTTP/1.1\r\nhost: ${host}\r\n${fields.join("")}content-length: 0\r\nconnection: close\r\n\r\n`,
  );
  const { refusedWith, why } = mesh.explainInbound({ url, ...wanted });
  const said = refusedWith === null ? 200 : refusedWith === "unauthenticated" ? 401 : 403;
  expect([said, statusOf(answer)], why).toEqual([status, status]);
});

test("a method in small letters is none, and not allowed as the one in capitals", async () => {
  const { mesh, listener } = await guarded(INBOUND, (_request, response) => response.end("served"));
  expect(statusOf(await answerTo(listener.port, "put / HTTP/1.1\r\nhost: reviews\r\ncontent-length: 0\r\n\r\n"))).toBe(400);
  expect(mesh.explainInbound({ method: "put", url: "http://reviews/" }).refusedWith).toBe("permission_denied");
});
