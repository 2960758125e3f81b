import { expect, test } from "vitest";
import { claimIs, factsOf, pathIs, peerOf, policyOf, ruleOf, textIs, tokenOf } from "../../test/authorization/builders.ts";
import type { RequestFacts } from "./facts.ts";
import { nearestRule } from "./nearest-rule.ts";
import { compileAuthorization } from "./rules.ts";

const staff = policyOf({ name: "staff", rules: [ruleOf({ to: [[pathIs("/reports/*")]], when: [claimIs(["role"], "staff")] })] });
const orders = policyOf({
  name: "orders",
  rules: [
    ruleOf({
      name: "admins",
      from: [[textIs("principal", "shop.example/ns/ops/*")], [textIs("namespace", "shop"), textIs("trust-domain", "shop.example")]],
      to: [[textIs("method", "DELETE"), pathIs("/orders/*")], [textIs("method", "PUT")]],
      when: [claimIs(["role"], "admin")],
    }),
    ruleOf({ name: "readers", to: [[textIs("method", "GET")]] }),
  ],
});
const deny = policyOf({ name: "never", action: "deny", rules: [ruleOf({ to: [[pathIs("/never")]] })] });
const compiled = compileAuthorization([deny, staff, orders], "merge-slashes");

function nearestTo(facts: RequestFacts): string {
  return nearestRule(compiled, facts);
}

const web = peerOf("shop", "web");

test("names the allow rule that lacks least, and what it lacks, without what the token says", () => {
  const token = tokenOf({ claims: { role: "secret-role" } });
  const words = nearestTo(factsOf({ method: "DELETE", path: "/orders/1", peer: web, token }));
  expect(words).toBe('the nearest is orders/admins, not matched: claim role in "admin"');
});

test("says why what it lacks cannot be decided", () => {
  expect(nearestTo(factsOf({ method: "DELETE", path: "/orders/1", peer: web }))).toBe(
    'the nearest is orders/admins, not matched: claim role in "admin" (the request has no token, or the claim is neither text nor a list of texts)',
  );
});

test("takes the first of those that lack as little, and bounds what it says", () => {
  expect(nearestTo(factsOf({ method: "POST", path: "/reports/1", token: tokenOf() }))).toBe(
    'the nearest is staff, not matched: claim role in "staff"',
  );
  const many = policyOf({ rules: [ruleOf({ when: ["a", "b", "c", "d", "e"].map((name) => claimIs([name], "1")) })] });
  expect(nearestRule(compileAuthorization([many], "base"), factsOf({ token: tokenOf() }))).toBe(
    'the nearest is policy, not matched: claim a in "1", claim b in "1", claim c in "1", and 2 more',
  );
});

test("is silent where there is no allow rule", () => {
  expect(nearestRule(compileAuthorization([deny], "base"), factsOf())).toBe("");
});
