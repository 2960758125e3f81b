import { expect, test } from "vitest";
import { claimIs, headerIs, pathIs, policyOf, ruleOf, textIs } from "../../../test/authorization/builders.ts";
import type { AuthorizationCondition, PathNormalisation } from "../../model/authorization.ts";
import { compileAuthorization } from "../rules.ts";
import { authorizationProblems } from "./check-policies.ts";

function problemsOf(condition: AuthorizationCondition, setting: PathNormalisation = "merge-slashes"): string[] {
  return authorizationProblems([policyOf({ rules: [ruleOf({ when: [condition] })] })], setting).map(({ message }) => message);
}

const regex: AuthorizationCondition = { kind: "method", not: false, values: [{ kind: "regex", value: "(", ignoreCase: false }] };

test.each<[AuthorizationCondition, string]>([
  [{ kind: "peer-ip", not: false, blocks: ["10.0.0.0/33"] }, "from 0 to 32"],
  [{ kind: "peer-ip", not: false, blocks: [] }, "one of no values never matches"],
  [{ kind: "port", not: false, ranges: [{ from: 0, to: 65536 }] }, "must be ports from 0 to 65535"],
  [{ kind: "group", not: true, groups: [] }, "one of no groups never matches"],
  [{ kind: "group", not: true, groups: [[textIs("method", "get")]] }, "methods are in upper case"],
  [{ kind: "host", not: false, values: [{ kind: "prefix", value: "", ignoreCase: true }] }, "an empty prefix is not compared"],
  [
    { kind: "principal", not: false, values: [{ kind: "exact", value: "shop.example/ns/x", ignoreCase: false }] },
    "principals begin with spiffe://",
  ],
  [textIs("principal", "web"), 'is a trust domain, which no workload bears; "spiffe://web/*" is every workload in it'],
  [textIs("principal", "spiffe://shop.example"), '"spiffe://shop.example/*" is every workload'],
  [textIs("principal", "spiffe://shop.example/a b"), "may hold only letters"],
  [textIs("principal", "spiffe://Shop.example/*"), "only lower case letters"],
  [textIs("principal", "*/web/"), "ends with a slash"],
  [textIs("trust-domain", "spiffe://shop.example"), 'a trust domain is a name without spiffe://, "shop.example"'],
  [textIs("trust-domain", "Shop"), "only lower case letters"],
  [textIs("namespace", "shop/web"), "one element of a SPIFFE ID's path"],
  [textIs("host", "http://orders:80/"), 'expected it without scheme and path, "orders:80"'],
  [textIs("host", "orders/v1"), "is no host"],
  [pathIs("/orders/{id}"), "one element of any name is written {*}"],
  [regex, "must be an expression of RE2"],
  [textIs("service-account", "shop/*"), "must be namespace/account"],
  [textIs("service-account", "web"), "must be namespace/account"],
  [headerIs(":path", "/x"), "is no header here"],
  [headerIs("X-Lane", "a"), "must be the name of a header in lower case"],
  [claimIs([], "a"), "must name a claim"],
  [pathIs("api"), "paths begin with a slash"],
  [pathIs("/a/{**}/{*}"), "nothing but text after {**}"],
])("refuses what can never match or is none: %j", (condition, words) => {
  expect(problemsOf(condition)).toEqual([expect.stringContaining(words)]);
});

test.each<[string, PathNormalisation]>([
  ["/a//b", "merge-slashes"],
  ["/a//*", "merge-slashes"],
  ["*//b", "merge-slashes"],
  ["/a/../b", "base"],
  ["/a%2fb", "base"],
  ["/%61", "base"],
  ["/a%2Fb", "decode-and-merge-slashes"],
  ["/a?b", "base"],
  ["/a b", "base"],
  ["/a//{*}", "merge-slashes"],
])("refuses the path %s, which no request has under %s", (path, setting) => {
  expect(problemsOf(pathIs(path), setting)).toEqual([expect.stringContaining("never matches")]);
});

test.each<[string, PathNormalisation]>([
  ["/a//b", "base"],
  ["/a/../b", "none"],
  ["/a%2Fb", "base"],
  ["/a%2*", "base"],
  ["/a%*", "base"],
  ["*.png", "merge-slashes"],
  ["/.well-known/*", "merge-slashes"],
  ["/a/{*}/b/{**}", "merge-slashes"],
  ["*", "merge-slashes"],
])("takes the path %s under %s", (path, setting) => {
  expect(problemsOf(pathIs(path), setting)).toEqual([]);
});

test.each<AuthorizationCondition>([
  ...["spiffe://shop.example/web", "shop.example/ns/shop/*", "spiffe://shop.exam*", "spiffe://shop.example/ns/.*", "sp*"].map((value) =>
    textIs("principal", value),
  ),
  ...["*/sa/web", "*web", "*.example/ns/shop/sa/web", "*//shop.example/web", "*", "*-"].map((value) => textIs("principal", value)),
  ...["shop.example", "shop.*", "*.example", "*"].map((value) => textIs("trust-domain", value)),
  ...["orders", "orders:8080", "*.shop.example", "[::1]:80", "Orders"].map((value) => textIs("host", value)),
  { kind: "principal", not: false, values: [{ kind: "exact", value: "SPIFFE://Shop.example/Web", ignoreCase: true }] },
  textIs("namespace", "shop", "sh*", "*.p"),
])("takes what a request may show: %j", (condition) => {
  expect(problemsOf(condition)).toEqual([]);
});

test("takes service accounts or principals and namespaces, not both in one source", () => {
  const beside = (kind: "principal" | "namespace") =>
    authorizationProblems([policyOf({ rules: [ruleOf({ from: [[textIs("service-account", "shop/web"), textIs(kind, "*")]] })] })], "base");
  expect(beside("principal")).toEqual([
    { at: "policy: rule 0: from 0", message: expect.stringContaining("a principal beside them"), origin: "mesh.yaml:1:1" },
  ]);
  expect(beside("namespace")).toHaveLength(1);
});

test("wants each policy to have a name of its own", () => {
  expect(authorizationProblems([policyOf({ name: "a" }), policyOf({ name: "a" })], "base")).toEqual([
    { at: "a", message: "two policies have this name", origin: "mesh.yaml:1:1" },
  ]);
});

test("does not compile what it refuses, and says all of it and where", () => {
  const rules = [ruleOf({ to: [[textIs("method", "get")]], when: [headerIs(":path", "/x")] })];
  expect(() => compileAuthorization([policyOf({ rules })], "base")).toThrow(
    /policy: rule 0: to 0: method.*\n.*policy: rule 0: when: header/,
  );
});
