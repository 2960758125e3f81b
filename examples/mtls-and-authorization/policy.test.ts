// The policy of the document, asked without a network, a certificate or a token: `node --test examples/mtls-and-authorization/policy.test.ts`
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { testMesh, virtualClock } from "@heddle/testing";
import { testAuthority } from "@heddle/testing/authority";

const WEB = "spiffe://shop.test/web";
const config = fileURLToPath(new URL("mesh.yaml", import.meta.url));
// A process that demands mutual TLS needs an identity, in a test one that is valid in virtual time.
const identity = testAuthority({ trustDomain: "shop.test", clock: virtualClock() }).source("reviews");

/** What reviews would do; what is given as peer and claims counts as proved. */
async function decision(method: string, path: string, given: { peer?: string; groups?: readonly string[] } = {}): Promise<string> {
  await using t = testMesh({ service: "reviews", config, identity });
  const { peer, groups } = given;
  const claims = groups && { iss: "https://accounts.shop.test", sub: "alice", aud: "reviews", groups };
  return t.explainInbound({ method, url: `http://reviews${path}`, ...(peer && { peer }), ...(claims && { claims }) }).why;
}

test("web reads reviews, and nobody else does", async () => {
  assert.equal(await decision("GET", "/reviews/7", { peer: WEB }), "allowed by web-reads");
  assert.equal(await decision("GET", "/reviews/7", { peer: "spiffe://shop.test/reports" }), "no allow rule matches");
  assert.equal(await decision("GET", "/reviews/7", { peer: "spiffe://other.test/web" }), "no allow rule matches");
  assert.equal(await decision("GET", "/reviews/7"), "mtls is strict, and the request shows no identity");
});

test("editors write by way of web, and nobody else does", async () => {
  assert.equal(await decision("PUT", "/reviews/7", { peer: WEB, groups: ["readers", "editors"] }), "allowed by editors-write");
  assert.equal(await decision("PUT", "/reviews/7", { peer: WEB, groups: ["readers"] }), "no allow rule matches");
  assert.equal(await decision("PUT", "/reviews/7", { peer: WEB }), "no allow rule matches; the request has no token");
  assert.equal(await decision("PUT", "/reviews/7", { peer: "spiffe://shop.test/reports", groups: ["editors"] }), "no allow rule matches");
  assert.equal(await decision("PUT", "/reviews/7/stars", { peer: WEB, groups: ["editors"] }), "no allow rule matches");
});

test("no spelling of /admin is let in", async () => {
  for (const path of ["/admin", "/admin/", "//admin/users", "/reviews/../admin", "/reviews/%2e%2e/%61dmin/users", "/reviews\\..\\admin"])
    assert.equal(await decision("GET", path, { peer: WEB }), "denied by no-admin", path);
});
