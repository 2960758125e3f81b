import { type CompiledRule, testRule } from "./compiled-rule.ts";
import type { CompiledCondition, CompiledGroup } from "./condition.ts";
import { type AuthorizationDecision, decide, matches } from "./decide.ts";
import type { RequestFacts } from "./facts.ts";
import type { CompiledAuthorization } from "./rules.ts";
import { NO, type Ternary, UNDECIDED } from "./ternary.ts";

export type Held = "yes" | "no" | "undecidable";

export interface ExplainedCondition {
  readonly part: "from" | "to" | "when";
  readonly condition: string;
  readonly held: Held;
  /** Where it is undecidable: why. */
  readonly why: string | null;
}

export interface ExplainedRule {
  readonly name: string;
  readonly action: "allow" | "deny" | "audit";
  readonly mode: "enforce" | "shadow";
  /** Where it was written. */
  readonly from: string;
  readonly held: Held;
  /** Counts as a match: an undecidable rule is one of deny and audit. */
  readonly matched: boolean;
  /** In words, as the reasons of routes. */
  readonly why: string;
  readonly conditions: readonly ExplainedCondition[];
}

export interface AuthorizationExplanation {
  readonly decision: AuthorizationDecision;
  readonly rules: readonly ExplainedRule[];
}

/** The decision, and what every rule says of the request: those that the decision had no need to ask too. */
export function explainAuthorization(compiled: CompiledAuthorization, facts: RequestFacts): AuthorizationExplanation {
  return { decision: decide(compiled, facts), rules: compiled.rules.map((rule) => explainRule(rule, facts)) };
}

function explainRule(rule: CompiledRule, facts: RequestFacts): ExplainedRule {
  const conditions = [
    ...rule.from.flatMap((group) => explainGroup("from", group, facts)),
    ...rule.to.flatMap((group) => explainGroup("to", group, facts)),
    ...explainGroup("when", rule.when, facts),
  ];
  const held = heldOf(testRule(rule, facts));
  const { action, mode, origin } = rule.policy;
  return {
    name: rule.name,
    action,
    mode,
    from: origin,
    held,
    matched: matches(rule, facts),
    why: reasonOf(held, conditions),
    conditions,
  };
}

function explainGroup(part: ExplainedCondition["part"], group: CompiledGroup, facts: RequestFacts): ExplainedCondition[] {
  return group.map((condition) => explainCondition(part, condition, facts));
}

function explainCondition(part: ExplainedCondition["part"], condition: CompiledCondition, facts: RequestFacts): ExplainedCondition {
  const held = condition.test(facts);
  return { part, condition: condition.why, held: heldOf(held), why: held === UNDECIDED ? condition.undecided : null };
}

function heldOf(value: Ternary): Held {
  return value === NO ? "no" : value === UNDECIDED ? "undecidable" : "yes";
}

function reasonOf(held: Held, conditions: readonly ExplainedCondition[]): string {
  const words = conditions.filter((condition) => condition.held === held);
  switch (held) {
    case "yes":
      return conditions.length === 0 ? "matches everything" : words.map(({ condition }) => condition).join(", ");
    case "no":
      return `not matched: ${words.map(({ condition }) => condition).join(", ")}`;
    case "undecidable":
      return `undecidable: ${words.map(({ condition, why }) => `${condition} (${why})`).join(", ")}`;
    default:
      return held satisfies never;
  }
}
