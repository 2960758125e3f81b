import { expect, test } from "vitest";
import { jwtRuleOf } from "../../test/token-issuer.ts";
import { type AdmittedToken, MAX_CACHED_TOKENS, TokenCache } from "./token-cache.ts";

const rule = jwtRuleOf([]);

function tokenOf(subject: string): AdmittedToken {
  const token = { rule: rule.name, issuer: rule.issuer, subject, audiences: [], claims: {} };
  return { token, rule, ring: { keys: [], ignored: [] }, fromMs: 0, untilMs: 1 };
}

test("holds so many tokens, and gives up those that were not used for longest", () => {
  const cache = new TokenCache();
  for (let count = 0; count < MAX_CACHED_TOKENS; count++) cache.set(`t${count}`, tokenOf(`${count}`));
  expect(cache.get("t0")?.token.subject).toBe("0");
  for (let count = 0; count < 10; count++) cache.set(`new${count}`, tokenOf("new"));
  expect(cache.size).toBe(MAX_CACHED_TOKENS);
  expect(cache.get("t0")?.token.subject).toBe("0");
  for (let count = 1; count <= 10; count++) expect(cache.get(`t${count}`)).toBeNull();
  expect(cache.get("t11")?.token.subject).toBe("11");
});

test("a token that comes again takes the place of what was known of it", () => {
  const cache = new TokenCache();
  for (let count = 0; count < MAX_CACHED_TOKENS; count++) cache.set(`t${count}`, tokenOf(`${count}`));
  cache.set("t5", tokenOf("again"));
  expect(cache.size).toBe(MAX_CACHED_TOKENS);
  expect(cache.get("t5")?.token.subject).toBe("again");
  expect(cache.get("t0")?.token.subject).toBe("0");
});
