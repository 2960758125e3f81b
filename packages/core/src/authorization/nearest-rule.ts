import type { CompiledRule } from "./compiled-rule.ts";
import type { CompiledCondition, CompiledGroup } from "./condition.ts";
import type { RequestFacts } from "./facts.ts";
import type { CompiledAuthorization } from "./rules.ts";
import { UNDECIDED, YES } from "./ternary.ts";

/** What is denied should cost little, however many rules there are. */
const MOST_RULES = 100;
const MOST_CONDITIONS = 3;

interface Miss {
  readonly rule: CompiledRule;
  readonly failed: CompiledGroup;
}

/**
 * For a request that no rule allows: the enforced allow rule that lacks least, and what it lacks, in the words of `explain`; empty: there
 * is none. Holds what the rules say, and nothing of the request. Of very many rules only the first are looked at.
 */
export function nearestRule({ allows }: CompiledAuthorization, facts: RequestFacts): string {
  let nearest: Miss | null = null;
  for (const rule of allows.rules.slice(0, MOST_RULES)) {
    const failed = [...fewestFailed(rule.from, facts), ...fewestFailed(rule.to, facts), ...failedOf(rule.when, facts)];
    if (nearest === null || failed.length < nearest.failed.length) nearest = { rule, failed };
  }
  if (nearest === null) return "";
  const { rule, failed } = nearest;
  const shown = failed.slice(0, MOST_CONDITIONS).map((condition) => wordsOf(condition, facts));
  const more = failed.length > shown.length ? [`and ${failed.length - shown.length} more`] : [];
  return `the nearest is ${rule.name}, not matched: ${[...shown, ...more].join(", ")}`;
}

/** Of the groups of which one must hold, what the one lacks that lacks least. */
function fewestFailed(groups: readonly CompiledGroup[], facts: RequestFacts): CompiledGroup {
  const failed = groups.map((group) => failedOf(group, facts));
  return failed.reduce((least, each) => (each.length < least.length ? each : least), failed[0] ?? []);
}

function failedOf(group: CompiledGroup, facts: RequestFacts): CompiledGroup {
  return group.filter((condition) => condition.test(facts) !== YES);
}

function wordsOf(condition: CompiledCondition, facts: RequestFacts): string {
  return condition.test(facts) === UNDECIDED ? `${condition.why} (${condition.undecided})` : condition.why;
}
