import type { AuthorizationAction, AuthorizationPolicy, PathNormalisation } from "../model/authorization.ts";
import { type CompiledRule, compileRule } from "./compiled-rule.ts";
import type { Identity } from "./facts.ts";
import { RuleIndex } from "./rule-index.ts";
import { authorizationProblems } from "./terms/check-policies.ts";

export interface CompiledAuthorization {
  /** By their index. */
  readonly rules: readonly CompiledRule[];
  readonly denies: RuleIndex;
  readonly allows: RuleIndex;
  /** An enforced allow policy applies, so that what none allows is denied. */
  readonly deniesByDefault: boolean;
  /** An allow policy in shadow would. */
  readonly wouldDenyByDefault: boolean;
  readonly hasShadow: boolean;
  /** That allow rules ask for. */
  readonly identities: readonly Identity[];
  /** Rules that change nothing: of audit policies, and those in shadow. */
  readonly observers: readonly CompiledRule[];
}

/** Once for each change of the policies. Throws TypeError for what {@link authorizationProblems} finds in them. */
export function compileAuthorization(policies: readonly AuthorizationPolicy[], setting: PathNormalisation): CompiledAuthorization {
  const problems = authorizationProblems(policies, setting);
  if (problems.length > 0) throw new TypeError(problems.map(({ at, message }) => `authorize: ${at}: ${message}`).join("\n"));
  const rules: CompiledRule[] = [];
  for (const policy of policies) for (const rule of policy.rules) rules.push(compileRule(policy, rule, rules.length));
  const enforced = (action: AuthorizationAction) => rules.filter(({ policy }) => policy.action === action && policy.mode === "enforce");
  const hasAllow = (mode: AuthorizationPolicy["mode"]) => policies.some((policy) => policy.action === "allow" && policy.mode === mode);
  return {
    rules,
    // A deny rule matches also what it cannot decide.
    denies: new RuleIndex(enforced("deny"), true),
    allows: new RuleIndex(enforced("allow"), false),
    deniesByDefault: hasAllow("enforce"),
    wouldDenyByDefault: hasAllow("shadow"),
    hasShadow: policies.some(({ mode }) => mode === "shadow"),
    identities: [...new Set(rules.filter(({ policy }) => policy.action === "allow").flatMap((rule) => rule.identities))].sort(),
    observers: rules.filter(({ policy }) => policy.mode === "shadow" || policy.action === "audit"),
  };
}
