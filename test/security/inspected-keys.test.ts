import { expect, test } from "vitest";
import { signingKey } from "../../packages/core/test/token-issuer.ts";
import { guarded } from "./guarded.ts";

test("inspect tells the key sets of the rules in force: of whom, from where, which keys, and what is wrong; never a key", async () => {
  const key = signingKey();
  const jwt = [
    { issuer: "https://one.example", jwks: { inline: { keys: [key.jwk] } } },
    { issuer: "https://two.example", jwks: { file: "/nowhere/keys.json" } },
  ];
  const { mesh } = await guarded({ jwt }, (_request, response) => response.end(), { onProblem: () => {} });
  await expect.poll(() => mesh.inspect().inbound.keySets[1]?.problem, { timeout: 10_000 }).toContain("/nowhere/keys.json: ");
  const { keySets } = mesh.inspect().inbound;
  const { kid, x, n } = key.jwk as { readonly kid?: string; readonly x?: string; readonly n?: string };
  expect(keySets).toEqual([
    { rule: expect.any(String), issuer: "https://one.example", source: "inline", keys: [kid ?? null], ageMs: null, problem: null },
    {
      rule: expect.any(String),
      issuer: "https://two.example",
      source: expect.stringContaining("/nowhere/keys.json"),
      keys: null,
      ageMs: null,
      problem: expect.any(String),
    },
  ]);
  expect(JSON.stringify(keySets)).not.toContain(x ?? n ?? "no such key");
});
