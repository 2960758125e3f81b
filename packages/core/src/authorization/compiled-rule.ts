import type { AuthorizationPolicy, AuthorizationRule } from "../model/authorization.ts";
import { type Ask, allOf, anyOf, type CompiledGroup, compileGroup, identitiesIn } from "./condition.ts";
import type { Identity, RequestFacts } from "./facts.ts";
import { NO, type Ternary, YES } from "./ternary.ts";

export interface CompiledRule {
  /** Place among all rules of all policies in their order: the same until they change. For counters beside the rules. */
  readonly index: number;
  readonly policy: AuthorizationPolicy;
  /** Of the policy and, where it has several, its own: `shop-reads`, `shop-reads/nightly`. */
  readonly name: string;
  readonly definition: AuthorizationRule;
  readonly from: readonly CompiledGroup[];
  readonly to: readonly CompiledGroup[];
  readonly when: CompiledGroup;
  /** That its conditions ask for. */
  readonly identities: readonly Identity[];
}

export function compileRule(policy: AuthorizationPolicy, rule: AuthorizationRule, index: number): CompiledRule {
  const from = rule.from.map(compileGroup);
  const to = rule.to.map(compileGroup);
  const when = compileGroup(rule.when);
  const name = policy.rules.length === 1 ? policy.name : `${policy.name}/${rule.name}`;
  return { index, policy, name, definition: rule, from, to, when, identities: identitiesIn([...from, ...to, when]) };
}

export function testRule({ from, to, when }: CompiledRule, facts: RequestFacts, ask?: Ask): Ternary {
  let least: Ternary = YES;
  if (from.length > 0) {
    least = anyOf(from, facts, ask);
    if (least === NO) return NO;
  }
  if (to.length > 0) {
    const held = anyOf(to, facts, ask);
    if (held === NO) return NO;
    if (held < least) least = held;
  }
  if (when.length > 0) {
    const held = allOf(when, facts, ask);
    if (held < least) least = held;
  }
  return least;
}
