import { expect, test } from "vitest";
import { headerIs, pathIs, policyOf, ruleOf, textIs } from "../test/authorization/builders.ts";
import { inboundPolicyOf } from "../test/builders.ts";
import { jwtRuleOf } from "../test/token-issuer.ts";
import { type ExplainInboundRequest, explainInbound } from "./explain-inbound.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";

const WEB = "spiffe://shop.example/ns/shop/sa/web";
const policies = [
  policyOf({ name: "closed", action: "deny", rules: [ruleOf({ to: [[pathIs("/admin*")]] })] }),
  policyOf({ name: "reads", rules: [ruleOf({ from: [[textIs("principal", WEB)]], to: [[textIs("method", "GET")]] })] }),
];
const policy = inboundPolicyOf("reviews", {
  mtls: "automatic",
  authorization: { policies, pathNormalisation: "merge-slashes", trustedHops: 0 },
});

function explain(wanted: Partial<ExplainInboundRequest>, mtls: "strict" | "permissive" | "disable" = "permissive") {
  return explainInbound({ url: "http://reviews/api/7", peer: WEB, ...wanted }, policy, mtls, 0);
}

test("what is served is explained with the rule that allows it, and every rule with its reason", () => {
  const explanation = explain({});
  expect(explanation).toMatchObject({ service: "reviews", path: "/api/7", refusedWith: null, why: "allowed by reads" });
  expect(explanation.rules.map(({ name, matched }) => [name, matched])).toEqual([
    ["closed", false],
    ["reads", true],
  ]);
});

test("an explanation is plain data: what was decided, and what each rule and condition says", () => {
  const explanation = explain({ method: "PUT" });
  expect(JSON.parse(JSON.stringify(explanation))).toEqual(explanation);
  expect(explanation).toMatchObject({
    authorization: { rule: null, reason: "not_allowed", audited: [], shadow: null },
    rules: [{ name: "closed", held: "no" }, { name: "reads" }],
  });
  expect(explanation.rules[1]).toEqual({
    name: "reads",
    action: "allow",
    mode: "enforce",
    from: "mesh.yaml:1:1",
    held: "no",
    matched: false,
    why: 'not matched: method in "GET"',
    conditions: [
      { part: "from", condition: `principal in "${WEB}"`, held: "yes", why: null },
      { part: "to", condition: 'method in "GET"', held: "no", why: null },
    ],
  });
});

test.each([
  [{ peer: "spiffe://shop.example/ns/shop/sa/evil" }, "permission_denied", "no allow rule matches"],
  [{ method: "post" }, "permission_denied", "no allow rule matches"],
  [{ url: "http://reviews//x/../admin/users" }, "permission_denied", "denied by closed"],
  [{ url: "http://reviews/%zz" }, "invalid_request", "the path is refused"],
] as const)("what is refused is explained with the code of its answer (%#)", (wanted, code, why) => {
  const { refusedWith, why: said } = explain(wanted);
  expect([refusedWith, said]).toEqual([code, expect.stringContaining(why)]);
});

test("without an identity it is told what mtls and the rules make of that", () => {
  const { peer: _, ...nobody } = { url: "http://reviews/api/7", peer: WEB };
  expect(explainInbound(nobody, policy, "strict", 0)).toMatchObject({ refusedWith: "mtls_required", authorization: null });
  expect(explainInbound(nobody, policy, "permissive", 0)).toMatchObject({ refusedWith: "unauthenticated" });
});

test("where nothing decides everything is served", () => {
  expect(explainInbound({ url: "http://reviews/a//b" }, inboundPolicyOf(), "disable", 0)).toMatchObject({
    path: "/a//b",
    refusedWith: null,
    authorization: null,
  });
});

const ISSUER = "https://issuer.example";
const admins = policyOf({
  name: "admins",
  rules: [ruleOf({ when: [textIs("request-principal", `${ISSUER}/ada`), textIs("audience", "reviews")] })],
});
const byToken = { policies: [admins], pathNormalisation: "base", trustedHops: 0 } as const;
const jwt = [jwtRuleOf([], { issuer: ISSUER, audiences: ["reviews"] })];

function withClaims(claims: Readonly<Record<string, unknown>>, parts: Partial<InboundPolicy> = {}) {
  return explainInbound(
    { url: "http://reviews/", claims },
    inboundPolicyOf("reviews", { authorization: byToken, jwt, ...parts }),
    "disable",
    10_000_000,
  );
}

test("claims stand for a token that is valid", () => {
  expect(withClaims({ iss: ISSUER, sub: "ada", aud: ["reviews", "x"] }).refusedWith).toBeNull();
  expect(withClaims({ iss: ISSUER, sub: "bob", aud: "reviews" }).refusedWith).toBe("permission_denied");
});

test("dates that claims give are judged by the clock, with the tolerance of the rule", () => {
  const ada = { iss: ISSUER, sub: "ada", aud: "reviews" };
  expect(withClaims({ ...ada, exp: 10_001, nbf: 9_999 }).refusedWith).toBeNull();
  expect(withClaims({ ...ada, exp: 1 })).toMatchObject({
    refusedWith: "unauthenticated",
    why: "the token is not valid: it expired at 1970-01-01T00:00:01Z",
  });
  expect(withClaims({ ...ada, nbf: 20_000 }).why).toMatch(/it is not valid before 1970-01-01T05:33:20Z/);
});

test("a token that no rule takes is refused, whoever signed it and whether or not anything is authorized", () => {
  const foreign = {
    refusedWith: "unauthenticated",
    why: 'the token is not valid: no rule names its issuer "https://evil.example", expected one of "https://issuer.example"',
  };
  expect(withClaims({ iss: "https://evil.example", sub: "ada", aud: "reviews" })).toMatchObject(foreign);
  expect(withClaims({ iss: "https://evil.example" }, { authorization: null })).toMatchObject(foreign);
  expect(withClaims({ role: "admin" }).why).toBe(
    'the token is not valid: the claims have no iss, which has to be an issuer that a rule names: "https://issuer.example"',
  );
  expect(withClaims({ iss: ISSUER, sub: "ada", aud: "other" })).toMatchObject({
    refusedWith: "unauthenticated",
    why: expect.stringMatching(/none of its audiences .*: reviews/),
  });
});

test("what the policy lets nobody prove is not proved: no token without rules for tokens, no identity where mtls is disabled", () => {
  expect(withClaims({ iss: ISSUER, sub: "ada", aud: "reviews" }, { jwt: [] })).toMatchObject({
    refusedWith: "unauthenticated",
    why: expect.stringMatching(/the policy has no jwt, so that no token is looked at/),
  });
  const plain = inboundPolicyOf("reviews", { mtls: "disable", authorization: policy.authorization });
  expect(explainInbound({ url: "http://reviews/api/7", peer: WEB }, plain, "disable", 0)).toMatchObject({
    refusedWith: "unauthenticated",
    why: expect.stringMatching(/mtls is disable, so that nobody proves an identity/),
  });
});

test("whom a proxy says it serves is looked at where the peer is one that may say so, and has to be readable then", () => {
  const forwarded = policyOf({ name: "forwarded", rules: [ruleOf({ when: [headerIs("x-forwarded-client-cert", "*")] })] });
  const trusting = inboundPolicyOf("reviews", {
    mtls: "strict",
    trustedPeers: [WEB],
    authorization: { policies: [forwarded], pathNormalisation: "base", trustedHops: 0 },
  });
  const ask = (field: string, peer: string) =>
    explainInbound({ url: "http://reviews/", peer, headers: { "X-Forwarded-Client-Cert": field } }, trusting, "strict", 0).refusedWith;
  expect(ask(`URI=${WEB}`, WEB)).toBeNull();
  expect(ask("not;readable", WEB)).toBe("invalid_request");
  expect(ask(`URI=${WEB}`, `${WEB}er`)).toBe("permission_denied");
});

test("what is no URL, no SPIFFE ID or no option is a TypeError", () => {
  expect(() => explain({ url: "reviews" })).toThrow(TypeError);
  expect(() => explain({ peer: "web" })).toThrow(/peer: /);
  expect(() => explain({ pear: WEB } as object)).toThrow(/pear/);
});
