import type { AuthorizationPolicy, AuthorizationRule } from "../model/authorization.ts";
import { type Ask, allOf, anyOf, type CompiledGroup, compileGroup, identitiesIn } from "./condition.ts";
import type { Identity, RequestFacts } from "./facts.ts";
import { NO, type Ternary } from "./ternary.ts";

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
  /** All that must hold whichever source and operation does, in one list. */
  readonly required: CompiledGroup;
  /** The sources and the operations where there are several: one of each must hold. */
  readonly choices: readonly (readonly CompiledGroup[])[];
  /** That its conditions ask for. */
  readonly identities: readonly Identity[];
}

export function compileRule(policy: AuthorizationPolicy, rule: AuthorizationRule, index: number): CompiledRule {
  const from = rule.from.map(compileGroup);
  const to = rule.to.map(compileGroup);
  const when = compileGroup(rule.when);
  const name = policy.rules.length === 1 ? policy.name : `${policy.name}/${rule.name}`;
  const parts = [from, to];
  return {
    index,
    policy,
    name,
    definition: rule,
    from,
    to,
    when,
    required: [...parts.flatMap((groups) => (groups.length === 1 ? groups.flat() : [])), ...when],
    choices: parts.filter((groups) => groups.length > 1),
    identities: identitiesIn([...from, ...to, when]),
  };
}

export function testRule({ required, choices }: CompiledRule, facts: RequestFacts, ask?: Ask): Ternary {
  let least = allOf(required, facts, ask);
  for (const groups of choices) {
    if (least === NO) return NO;
    const held = anyOf(groups, facts, ask);
    if (held < least) least = held;
  }
  return least;
}
