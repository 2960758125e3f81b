import type { ServerResponse } from "node:http";
import { createMesh, type Problem } from "@heddle/core";
import { httpTransport, listen } from "@heddle/http";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { policyOf, ruleOf } from "../../packages/core/test/authorization/builders.ts";
import { inboundPolicyOf, snapshotOf } from "../../packages/core/test/builders.ts";
import { handSource } from "../../packages/core/test/hand-source.ts";
import { answerTo, statusOf } from "./guarded.ts";

// Expressions for which engines that try again take longer than the universe has lasted, over the longest text that gets in.

const LENGTH = 14_000;

/** Denied is what the expression matches: by name or header, whichever the text stands in. */
function snapshotDenying(...patterns: readonly string[]) {
  const values = patterns.map((value) => ({ kind: "regex" as const, value, ignoreCase: false }));
  const [inPath, inHeader] = [
    { kind: "path" as const, not: false, values },
    { kind: "header" as const, name: "x-text", not: false, values },
  ];
  const deny = policyOf({ name: "matched", action: "deny", rules: [ruleOf({ when: [inPath] }), ruleOf({ name: "1", when: [inHeader] })] });
  const authorization = { policies: [deny], pathNormalisation: "merge-slashes" as const, trustedHops: 0 };
  return snapshotOf({ inboundPolicies: [inboundPolicyOf("reviews", { authorization })] });
}

async function denying(pattern: string) {
  let called = 0;
  const source = handSource(snapshotDenying(pattern));
  const problems: Problem[] = [];
  const onProblem = (problem: Problem) => problems.push(problem);
  const mesh = createMesh({ service: "reviews", config: source as never, transport: httpTransport(), onProblem });
  onTestFinished(() => mesh.close({ limit: 500 }));
  await mesh.ready();
  const application = (_request: unknown, response: ServerResponse) => {
    called++;
    response.end("served");
  };
  const { port } = await listen(mesh, application as never, { host: "127.0.0.1" });
  const ask = async (path: string, text: string) =>
    statusOf(await answerTo(port, `GET ${path} HTTP/1.1\r\nHost: reviews\r\nX-Text: ${text}\r\nConnection: close\r\n\r\n`));
  return { ask, source, problems, called: () => called };
}

/** An expression, a text that it matches, and one that it nearly does, which is what makes others try all ways to match it. */
const BOMBS: readonly (readonly [pattern: string, matched: string, nearly: string])[] = [
  ["/?(a+)+b", `${"a".repeat(LENGTH)}b`, "a".repeat(LENGTH)],
  ["/?(a|a)*b", `${"a".repeat(LENGTH)}b`, `${"a".repeat(LENGTH)}c`],
  ["/?(a*)*(a*)*(a*)*b", `${"a".repeat(LENGTH)}b`, "a".repeat(LENGTH)],
  ["/?([a-z]+[0-9]*)+!", `${"a1".repeat(LENGTH / 2)}!`, "a1".repeat(LENGTH / 2)],
  ["(.*)(.*)(.*)(.*)(.*)!", `${"x".repeat(LENGTH)}!`, "x".repeat(LENGTH)],
  ["/?(a?){50}a{50}", "a".repeat(100), `${"a".repeat(49)}`],
  ["/?(([a-z0-9])+.)+[A-Z]([a-z])+", `${"a".repeat(LENGTH - 2)}Bc`, "a".repeat(LENGTH)],
];

describe("an expression that engines may take for ever over", () => {
  test.each(BOMBS)("is answered in the order of its text: %s", { timeout: 60_000 }, async (pattern, matched, nearly) => {
    const { ask, called } = await denying(pattern);
    expect(await ask("/", matched)).toBe(403);
    expect(await ask(`/${matched}`, "")).toBe(403);
    expect(called()).toBe(0);
    expect(await ask("/", nearly)).toBe(200);
    expect(await ask(`/${nearly}`, "")).toBe(200);
    expect(called()).toBe(2);
  });

  test.each(["(", "(a{1000}){1000}", "((((a{100}){100}){100}){100})", "a{1001}", "(a)\\1", "(?=a)", "(?<!a)b", "\\p{Nonsense}"])(
    "is refused with all that came with it where it is none of RE2, before it swells: %s",
    { timeout: 60_000 },
    async (pattern) => {
      const { ask, source, problems } = await denying("closed");
      source.update(snapshotDenying(pattern, "other"));
      await vi.waitFor(() => expect(problems.map(({ message }) => message).join()).toContain("must be an expression of RE2"), 10_000);
      expect([await ask("/", "closed"), await ask("/", "other")]).toEqual([403, 200]);
    },
  );
});
