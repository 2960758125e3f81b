/** One wrong matcher: a change of one place of the sources, which is put in as they are loaded. */
export interface Sabotage {
  readonly name: string;
  /** Below `packages/core/src/`. */
  readonly file: string;
  /** Stands there once. */
  readonly right: string;
  readonly wrong: string;
}

export const SABOTAGES: readonly Sabotage[] = [
  {
    name: "prefixes are compared in any case",
    file: "authorization/values.ts",
    right: "(text) => text.startsWith(match.value)",
    wrong: "(text) => text.toLowerCase().startsWith(match.value.toLowerCase())",
  },
  {
    name: "a suffix may stand anywhere",
    file: "authorization/values.ts",
    right: "(text) => text.endsWith(match.value)",
    wrong: "(text) => text.includes(match.value)",
  },
  {
    name: "not is ignored",
    file: "authorization/condition.ts",
    right: "test: definition.not ? (facts) => not(positive(facts)) : positive,",
    wrong: "test: positive,",
  },
  {
    name: "what is allowed is not denied any more",
    file: "authorization/decide.ts",
    right: "if (denying !== null) return deniedBy(denying, facts);",
    wrong: "if (denying !== null && compiled.allows.first(facts) === null) return deniedBy(denying, facts);",
  },
  {
    name: "one of the conditions of a source or operation is enough",
    file: "authorization/condition.ts",
    right: "    if (held === NO) return NO;\n    if (held < least) least = held;\n  }\n  return least;",
    wrong: "    if (held !== NO) return held;\n    least = NO;\n  }\n  return least;",
  },
  {
    name: "{*} of a template crosses slashes",
    file: "authorization/terms/path-template.ts",
    right: "const end = elementEnd(pathname, at + 1);",
    wrong: 'const end = element === "{*}" ? pathname.length : elementEnd(pathname, at + 1);',
  },
  {
    name: "a block is twice as large",
    file: "authorization/terms/ip-block.ts",
    right: "return rangeOf(address, Number(length) - skipped);",
    wrong: "return rangeOf(address, Math.max(0, Number(length) - skipped - 1));",
  },
  {
    name: "hops are counted from the left",
    file: "authorization/client-address.ts",
    right: 'typeof forwardedFor === "string" ? forwardedFor : forwardedFor.join(",")',
    wrong: '[forwardedFor].flat().join(",").split(",").reverse().join(",")',
  },
  {
    name: "slashes are not merged",
    file: "authorization/terms/normalise-path.ts",
    right: 'setting === "base" ? resolved : resolved.replace(/\\/{2,}/g, "/")',
    wrong: "resolved",
  },
  {
    name: "an audience may only begin as the rule's",
    file: "authorization/token-claims.ts",
    right: "rule.audiences.some((audience) => audiences.includes(audience))",
    wrong: "rule.audiences.some((audience) => audiences.some((one) => one.startsWith(audience)))",
  },
];
