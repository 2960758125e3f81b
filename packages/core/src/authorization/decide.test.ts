import { describe, expect, test } from "vitest";
import {
  claimIs,
  type FactsInput,
  factsOf,
  headerIs,
  inverted,
  pathIs,
  peerOf,
  policyOf,
  ruleOf,
  textIs,
  tokenOf,
} from "../../test/authorization/builders.ts";
import type { AuthorizationCondition, AuthorizationPolicy } from "../model/authorization.ts";
import { type AuthorizationDecision, decide } from "./decide.ts";
import { compileAuthorization } from "./rules.ts";
import { parseAddress } from "./terms/ip-block.ts";

function decided(policies: readonly AuthorizationPolicy[], facts: FactsInput = {}): AuthorizationDecision {
  return decide(compileAuthorization(policies, "merge-slashes"), factsOf(facts));
}

/** Whether a request passes an allow, and a deny policy of this one condition. */
function passes(condition: AuthorizationCondition, facts: FactsInput): { allow: boolean; deny: boolean } {
  const rules = [ruleOf({ when: [condition] })];
  return {
    allow: decided([policyOf({ action: "allow", rules })], facts).allowed,
    deny: decided([policyOf({ action: "deny", rules })], facts).allowed,
  };
}

const MATCHES = { allow: true, deny: false };
const DIFFERS = { allow: false, deny: true };
const FAILS_CLOSED = { allow: false, deny: false };

describe("the order of policies", () => {
  const everything = [ruleOf()];

  test("without a policy everything passes", () => {
    expect(decided([])).toMatchObject({ allowed: true, status: 200, reason: "no_allow_policy", rule: null, shadow: null });
  });

  test("a deny rule wins over every allow rule, whatever order they stand in", () => {
    const allow = policyOf({ name: "all", rules: everything });
    const deny = policyOf({ name: "no-admin", action: "deny", rules: [ruleOf({ to: [[pathIs("/admin*")]] })] });
    for (const policies of [
      [allow, deny],
      [deny, allow],
    ]) {
      expect(decided(policies, { path: "/admin" })).toMatchObject({
        allowed: false,
        status: 403,
        reason: "denied_by_rule",
        why: "denied by no-admin",
      });
      expect(decided(policies, { path: "/api" })).toMatchObject({ allowed: true, reason: "allowed_by_rule", why: "allowed by all" });
    }
  });

  test("one allow policy denies what no allow rule takes", () => {
    const reads = policyOf({ rules: [ruleOf({ to: [[textIs("method", "GET")]] })] });
    expect(decided([reads])).toMatchObject({ allowed: true });
    expect(decided([reads], { method: "POST" })).toMatchObject({ allowed: false, status: 403, reason: "not_allowed", rule: null });
  });

  test("a deny policy alone denies nothing else", () => {
    const deny = policyOf({ action: "deny", rules: [ruleOf({ to: [[textIs("method", "POST")]] })] });
    expect(decided([deny])).toMatchObject({ allowed: true, reason: "no_allow_policy" });
  });

  test("a policy without rules never matches: of allow it denies all, of deny nothing", () => {
    expect(decided([policyOf({ rules: [] })])).toMatchObject({ allowed: false, reason: "not_allowed" });
    expect(decided([policyOf({ action: "deny", rules: [] })])).toMatchObject({ allowed: true });
  });

  test("a rule without conditions matches everything", () => {
    expect(decided([policyOf({ rules: everything })])).toMatchObject({ allowed: true, reason: "allowed_by_rule" });
    expect(decided([policyOf({ action: "deny", rules: everything })])).toMatchObject({ allowed: false, status: 403 });
  });

  test("audit changes nothing and names who matched", () => {
    const audit = policyOf({ name: "watched", action: "audit", rules: everything });
    const decision = decided([audit]);
    expect(decision).toMatchObject({ allowed: true, reason: "no_allow_policy", shadow: null });
    expect(decision.audited.map(({ name }) => name)).toEqual(["watched"]);
    expect(decided([audit, policyOf({ rules: [] })])).toMatchObject({ allowed: false });
  });
});

describe("shadow", () => {
  const open = policyOf({ name: "open" });
  const denyAll = policyOf({ name: "deny-all", action: "deny", mode: "shadow" });

  test("a deny policy in shadow is told and not enforced", () => {
    const decision = decided([open, denyAll]);
    expect(decision).toMatchObject({ allowed: true, why: "allowed by open" });
    expect(decision.shadow).toMatchObject({ verdict: { allowed: false, why: "denied by deny-all" }, matched: [{ name: "deny-all" }] });
  });

  test("an allow policy in shadow does not deny by default, and says that it would", () => {
    const none = policyOf({ name: "none", mode: "shadow", rules: [] });
    expect(decided([none])).toMatchObject({ allowed: true, shadow: { verdict: { allowed: false, reason: "not_allowed" }, matched: [] } });
  });

  test("an allow policy in shadow does not allow, and says that it would", () => {
    const closed = policyOf({ name: "closed", rules: [] });
    const wide = policyOf({ name: "wide", mode: "shadow" });
    expect(decided([closed, wide])).toMatchObject({ allowed: false, shadow: { verdict: { allowed: true, why: "allowed by wide" } } });
  });

  test("what an enforced rule denies stays denied beside an allow policy in shadow", () => {
    const deny = policyOf({ name: "deny", action: "deny" });
    const wide = policyOf({ name: "wide", mode: "shadow" });
    expect(decided([deny, wide])).toMatchObject({ allowed: false, shadow: { verdict: { allowed: false, why: "denied by deny" } } });
  });
});

describe("a rule", () => {
  const web = peerOf("shop", "web");
  const rule = ruleOf({
    from: [[textIs("principal", web.id), textIs("trust-domain", "shop.example", "x")], [textIs("namespace", "pay")]],
    to: [[textIs("method", "GET", "HEAD"), pathIs("/api/*")]],
    when: [headerIs("x-lane", "a", "b")],
  });
  const headers = { "x-lane": "b" };

  test("needs one source, one operation and every condition; a source all its fields; a field one of its values", () => {
    const policies = [policyOf({ rules: [rule] })];
    expect(decided(policies, { peer: web, headers }).allowed).toBe(true);
    expect(decided(policies, { peer: peerOf("pay", "job"), headers, method: "HEAD" }).allowed).toBe(true);
    expect(decided(policies, { peer: peerOf("shop", "web", "other.example"), headers }).allowed).toBe(false);
    expect(decided(policies, { peer: web, headers, method: "POST" }).allowed).toBe(false);
    expect(decided(policies, { peer: web, headers, path: "/other" }).allowed).toBe(false);
    expect(decided(policies, { peer: web, headers: {} }).allowed).toBe(false);
  });

  test("has a stable index over all policies, and its own name where its policy has several", () => {
    const policies = [
      policyOf({ name: "a", action: "audit", rules: [ruleOf({ name: "x" }), ruleOf({ name: "y" })] }),
      policyOf({ name: "b", rules: [ruleOf({ name: "x" })] }),
    ];
    expect(compileAuthorization(policies, "base").rules.map(({ index, name }) => [index, name])).toEqual([
      [0, "a/x"],
      [1, "a/y"],
      [2, "b"],
    ]);
    expect(decided(policies).rule?.index).toBe(2);
  });

  test("takes the method of a gRPC service as a path", () => {
    const policies = [policyOf({ rules: [ruleOf({ to: [[pathIs("/shop.Reviews/Get")]] })] })];
    expect(decided(policies, { method: "POST", path: "/shop.Reviews/Get" }).allowed).toBe(true);
    expect(decided(policies, { method: "POST", path: "/shop.Reviews/Put" }).allowed).toBe(false);
  });
});

describe("what a request has, lacks, or cannot be asked for", () => {
  const web = peerOf("shop", "web");
  const vm = { id: "spiffe://shop.example/vm", trustDomain: "shop.example", namespace: null, serviceAccount: null };
  const ports = (from: number, to: number): AuthorizationCondition => ({ kind: "port", not: false, ranges: [{ from, to }] });
  const ips = (kind: "peer-ip" | "client-ip" | "local-ip"): AuthorizationCondition => ({ kind, not: false, blocks: ["10.0.0.0/8"] });
  const elsewhere = parseAddress("192.168.0.1");

  const table: [what: string, AuthorizationCondition, matching: FactsInput, other: FactsInput, undecidable: FactsInput | null][] = [
    ["principal", textIs("principal", web.id), { peer: web }, { peer: peerOf("shop", "job") }, { peer: null }],
    ["principal, prefix", textIs("principal", "shop.example/ns/shop/*"), { peer: web }, { peer: peerOf("pay", "job") }, { peer: null }],
    ["principal, suffix", textIs("principal", "*/sa/web"), { peer: web }, { peer: peerOf("pay", "job") }, { peer: null }],
    ["principal, present", textIs("principal", "*"), { peer: vm }, { peer: null }, null],
    ["trust domain", textIs("trust-domain", "shop.example"), { peer: web }, { peer: peerOf("shop", "web", "x") }, { peer: null }],
    ["namespace", textIs("namespace", "shop"), { peer: web }, { peer: peerOf("pay", "web") }, { peer: null }],
    ["namespace, of an identity without one", textIs("namespace", "shop"), { peer: web }, { peer: vm }, { peer: null }],
    ["service account", textIs("service-account", "shop/web"), { peer: web }, { peer: peerOf("pay", "web") }, { peer: null }],
    ["service account, of an identity without one", textIs("service-account", "shop/web"), { peer: web }, { peer: vm }, { peer: null }],
    [
      "request principal",
      textIs("request-principal", "https://issuer.example/ada"),
      { token: tokenOf() },
      { token: tokenOf({ subject: "bob" }) },
      { token: null },
    ],
    [
      "request principal, of a token without subject",
      textIs("request-principal", "https://issuer.example/*"),
      { token: tokenOf() },
      { token: tokenOf({ issuer: "x" }) },
      { token: tokenOf({ subject: null }) },
    ],
    ["request principal, present", textIs("request-principal", "*"), { token: tokenOf() }, { token: null }, null],
    [
      "audience",
      textIs("audience", "reviews"),
      { token: tokenOf({ audiences: ["a", "reviews"] }) },
      { token: tokenOf({ audiences: [] }) },
      { token: null },
    ],
    ["presenter", textIs("presenter", "web"), { token: tokenOf({ presenter: "web" }) }, { token: tokenOf() }, { token: null }],
    ["claim", claimIs(["group"], "ops"), { token: tokenOf({ claims: { group: "ops" } }) }, { token: tokenOf() }, { token: null }],
    [
      "claim, nested and a list",
      claimIs(["org", "roles"], "ops"),
      { token: tokenOf({ claims: { org: { roles: ["dev", "ops"] } } }) },
      { token: tokenOf({ claims: { org: { roles: ["dev"] } } }) },
      null,
    ],
    [
      "claim, under what is no object",
      claimIs(["org", "role"], "ops"),
      { token: tokenOf({ claims: { org: { role: "ops" } } }) },
      { token: tokenOf({ claims: { org: "ops" } }) },
      null,
    ],
    [
      "claim, a number",
      claimIs(["level"], "3"),
      { token: tokenOf({ claims: { level: "3" } }) },
      { token: tokenOf({ claims: { level: [] } }) },
      { token: tokenOf({ claims: { level: 3 } }) },
    ],
    [
      "claim, a list of other things",
      claimIs(["level"], "3"),
      { token: tokenOf({ claims: { level: [3, "3"] } }) },
      { token: tokenOf({ claims: { level: ["4"] } }) },
      { token: tokenOf({ claims: { level: ["4", 3] } }) },
    ],
    [
      "claim, present but an object",
      claimIs(["org"], "*"),
      { token: tokenOf({ claims: { org: "x" } }) },
      { token: tokenOf({ claims: { org: "" } }) },
      { token: tokenOf({ claims: { org: {} } }) },
    ],
    [
      "claim that every object inherits",
      claimIs(["toString"], "x"),
      { token: tokenOf({ claims: { toString: "x" } }) },
      { token: tokenOf() },
      null,
    ],
    ["host", textIs("host", "Shop.Example"), { authority: "shop.example" }, { authority: "pay.example" }, { authority: "" }],
    ["host on any port", textIs("host", "shop.example"), { authority: "shop.example:8080" }, { authority: "shop.example.org:8080" }, null],
    ["host with a final dot", textIs("host", "shop.example"), { authority: "shop.example.:80" }, { authority: "shop.example.." }, null],
    ["host on one port", textIs("host", "shop.example:80"), { authority: "shop.example:80" }, { authority: "shop.example:81" }, null],
    ["IPv6 host", textIs("host", "[::1]"), { authority: "[::1]:80" }, { authority: "[::2]:80" }, null],
    ["port", ports(9000, 9100), { localPort: 9081 }, { localPort: 80 }, { localPort: null }],
    ["method", textIs("method", "P*"), { method: "PUT" }, { method: "GET" }, null],
    ["path", pathIs("/a/b"), { path: "/a//x/../b?q" }, { path: "/a/b/" }, { path: "/a/b%" }],
    ["path template", pathIs("/a/{*}/c/{**}"), { path: "/a/b/c/d/e" }, { path: "/a/b/d/c/d" }, { path: "/a/%00/c/d" }],
    ["header", headerIs("x-a", "a*"), { headers: { "x-a": "ab" } }, { headers: {} }, { headers: { "x-a": ["ab", "ba"] } }],
    [
      "header in several fields that agree",
      headerIs("x-a", "a*"),
      { headers: { "x-a": ["ab", "ac"] } },
      { headers: { "x-a": ["b", "c"] } },
      { headers: { "x-a": ["b", "a"] } },
    ],
    ["header, present though empty", headerIs("x-a", "*"), { headers: { "x-a": "" } }, { headers: {} }, null],
    ["SNI", textIs("sni", "reviews"), { sni: "reviews" }, { sni: null }, null],
    ["peer IP", ips("peer-ip"), {}, { peerIp: elsewhere }, { peerIp: null }],
    [
      "client IP",
      ips("client-ip"),
      {},
      { clientIp: { kind: "known", address: elsewhere as NonNullable<typeof elsewhere> } },
      { clientIp: { kind: "unknown", why: "" } },
    ],
    ["local IP", ips("local-ip"), {}, { localIp: elsewhere }, { localIp: null }],
  ];

  test.each(table)("%s", (_what, condition, matching, other, undecidable) => {
    expect(passes(condition, matching), "matching").toEqual(MATCHES);
    expect(passes(inverted(condition), matching), "matching, inverted").toEqual(DIFFERS);
    expect(passes(condition, other), "other").toEqual(DIFFERS);
    expect(passes(inverted(condition), other), "other, inverted").toEqual(MATCHES);
    if (undecidable === null) return;
    expect(passes(condition, undecidable), "undecidable").toEqual(FAILS_CLOSED);
    expect(passes(inverted(condition), undecidable), "undecidable, inverted").toEqual(FAILS_CLOSED);
  });

  test("a part that is undecidable does not matter where another decides", () => {
    const rules = [ruleOf({ from: [[textIs("principal", web.id)]], to: [[textIs("method", "POST")]] })];
    expect(decided([policyOf({ action: "deny", rules })], { method: "GET" })).toMatchObject({ allowed: true });
    expect(decided([policyOf({ action: "deny", rules })], { method: "POST" })).toMatchObject({
      allowed: false,
      reason: "denied_undecided",
      status: 401,
    });
  });
});

describe("the status of a denial", () => {
  const reads = ruleOf({ from: [[textIs("principal", peerOf("shop", "web").id)]], to: [[textIs("method", "GET")]] });

  test("is 401 where an identity that is missing would have decided, and names which", () => {
    expect(decided([policyOf({ rules: [reads] })])).toMatchObject({
      status: 401,
      missing: ["peer"],
      why: "no allow rule matches; the peer has no identity",
    });
    const needsToken = policyOf({ name: "token", action: "deny", rules: [ruleOf({ when: [inverted(textIs("request-principal", "*"))] })] });
    expect(decided([needsToken])).toMatchObject({ status: 401, missing: ["token"], why: "denied by token; the request has no token" });
  });

  test("is 403 where it would have made no difference, or is there and another", () => {
    expect(decided([policyOf({ rules: [reads] })], { method: "POST" })).toMatchObject({ status: 403, missing: [] });
    expect(decided([policyOf({ rules: [reads] })], { peer: peerOf("shop", "job") })).toMatchObject({ status: 403, missing: [] });
    expect(
      decided([policyOf({ action: "deny", rules: [ruleOf({ from: [[textIs("principal", "*")], [textIs("trust-domain", "x")], []] })] })]),
    ).toMatchObject({ status: 403 });
  });

  test("is 400 for a path that is refused, also where every rule would allow it", () => {
    expect(decided([policyOf()], { path: "/a%zz" })).toMatchObject({
      allowed: false,
      status: 400,
      reason: "path_refused",
      why: expect.stringContaining("the path is refused: the escape"),
    });
  });
});

test("finds a rule among a thousand by what it names, and the first of those that match", () => {
  const rules = Array.from({ length: 1000 }, (_, index) =>
    ruleOf({
      name: `${index}`,
      from: index % 2 === 0 ? [[textIs("principal", `spiffe://shop.example/ns/n${index}/sa/a`)]] : [],
      to: [[pathIs(`/items/${index % 500}/*`)]],
    }),
  );
  const policies = [policyOf({ name: "many", rules })];
  expect(decided(policies, { path: "/items/301/x" }).rule?.name).toBe("many/301");
  expect(decided(policies, { path: "/items/300/x", peer: peerOf("n800", "a") }).rule?.name).toBe("many/800");
  expect(decided(policies, { path: "/items/300/x", peer: peerOf("n300", "a") }).rule?.name).toBe("many/300");
  expect(decided(policies, { path: "/items/300/x", peer: peerOf("n302", "a") }).allowed).toBe(false);
});
