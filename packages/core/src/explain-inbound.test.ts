import { expect, test } from "vitest";
import { pathIs, policyOf, ruleOf, textIs } from "../test/authorization/builders.ts";
import { inboundPolicyOf } from "../test/builders.ts";
import { type ExplainInboundRequest, explainInbound } from "./explain-inbound.ts";

const WEB = "spiffe://shop.example/ns/shop/sa/web";
const policies = [
  policyOf({ name: "closed", action: "deny", rules: [ruleOf({ to: [[pathIs("/admin*")]] })] }),
  policyOf({ name: "reads", rules: [ruleOf({ from: [[textIs("principal", WEB)]], to: [[textIs("method", "GET")]] })] }),
];
const policy = inboundPolicyOf("reviews", { authorization: { policies, pathNormalisation: "merge-slashes", trustedHops: 0 } });

function explain(wanted: Partial<ExplainInboundRequest>, mtls: "strict" | "permissive" | "disable" = "permissive") {
  return explainInbound({ url: "http://reviews/api/7", peer: WEB, ...wanted }, policy, mtls);
}

test("what is served is explained with the rule that allows it, and every rule with its reason", () => {
  const explanation = explain({});
  expect(explanation).toMatchObject({ service: "reviews", path: "/api/7", refusedWith: null, why: "allowed by reads" });
  expect(explanation.authorization?.rules.map(({ name, matched }) => [name, matched])).toEqual([
    ["closed", false],
    ["reads", true],
  ]);
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
  expect(explainInbound(nobody, policy, "strict")).toMatchObject({ refusedWith: "mtls_required", authorization: null });
  expect(explainInbound(nobody, policy, "permissive")).toMatchObject({ refusedWith: "unauthenticated" });
});

test("where nothing decides everything is served", () => {
  expect(explainInbound({ url: "http://reviews/a//b" }, inboundPolicyOf(), "disable")).toMatchObject({
    path: "/a//b",
    refusedWith: null,
    authorization: null,
  });
});

test("claims stand for a token that is valid", () => {
  const admins = policyOf({
    name: "admins",
    rules: [ruleOf({ when: [textIs("request-principal", "https://issuer.example/ada"), textIs("audience", "reviews")] })],
  });
  const guarded = inboundPolicyOf("reviews", { authorization: { policies: [admins], pathNormalisation: "base", trustedHops: 0 } });
  const asking = (claims: Readonly<Record<string, unknown>>) =>
    explainInbound({ url: "http://reviews/", claims }, guarded, "disable").refusedWith;
  expect(asking({ iss: "https://issuer.example", sub: "ada", aud: ["reviews", "x"] })).toBeNull();
  expect(asking({ iss: "https://issuer.example", sub: "bob", aud: "reviews" })).toBe("permission_denied");
});

test("what is no URL, no SPIFFE ID or no option is a TypeError", () => {
  expect(() => explain({ url: "reviews" })).toThrow(TypeError);
  expect(() => explain({ peer: "web" })).toThrow(/peer: /);
  expect(() => explain({ pear: WEB } as object)).toThrow(/pear/);
});
