import { expect, test } from "vitest";
import { factsOf, headerIs, inverted, pathIs, peerOf, policyOf, ruleOf, textIs } from "../../test/authorization/builders.ts";
import { explainAuthorization } from "./explain-decision.ts";
import { compileAuthorization } from "./rules.ts";

const policies = [
  policyOf({ name: "no-admin", action: "deny", rules: [ruleOf({ to: [[pathIs("/admin", "/admin/*")]] })] }),
  policyOf({ name: "known", action: "deny", rules: [ruleOf({ when: [inverted(textIs("namespace", "shop"))] })] }),
  policyOf({ name: "open", rules: [ruleOf()] }),
  policyOf({ name: "lane", mode: "shadow", rules: [ruleOf({ when: [headerIs("x-lane", "a*")] })] }),
];
const compiled = compileAuthorization(policies, "base");

test("says of every rule whether it holds, and in words by what", () => {
  const { decision, rules } = explainAuthorization(compiled, factsOf({ peer: peerOf("shop", "web") }));
  expect(decision).toMatchObject({ allowed: true, why: "allowed by open" });
  expect(rules.map(({ name, held, matched, why }) => ({ name, held, matched, why }))).toEqual([
    { name: "no-admin", held: "no", matched: false, why: 'not matched: path in "/admin", "/admin/*"' },
    { name: "known", held: "no", matched: false, why: 'not matched: namespace not in "shop"' },
    { name: "open", held: "yes", matched: true, why: "matches everything" },
    { name: "lane", held: "no", matched: false, why: 'not matched: header x-lane in "a*"' },
  ]);
  expect(rules[3]).toMatchObject({ action: "allow", mode: "shadow", from: "mesh.yaml:1:1" });
});

test("says why a condition is undecidable, and that a deny rule matches so", () => {
  const { decision, rules } = explainAuthorization(compiled, factsOf());
  expect(decision).toMatchObject({ allowed: false, status: 401, reason: "denied_undecided" });
  expect(rules[1]).toMatchObject({
    held: "undecidable",
    matched: true,
    why: 'undecidable: namespace not in "shop" (the peer has no identity)',
  });
  expect(rules[1]?.conditions).toEqual([
    { part: "when", condition: 'namespace not in "shop"', held: "undecidable", why: "the peer has no identity" },
  ]);
});
