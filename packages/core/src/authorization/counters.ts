import type { CompiledRule } from "./compiled-rule.ts";
import type { AuthorizationDecision } from "./decide.ts";

export interface InspectedRule {
  readonly rule: string;
  readonly action: "allow" | "deny" | "audit";
  readonly mode: "enforce" | "shadow";
  /** Requests that it decided, or, of one that only watches, that it would have. */
  readonly matched: number;
}

export interface InspectedAuthorization {
  readonly allowed: number;
  readonly denied: number;
  /** Requests for which the policies in shadow would have decided otherwise. */
  readonly shadowDiffers: number;
  readonly rules: readonly InspectedRule[];
}

/** What became of requests, by rule. Kept over changes: a rule is known by its name. */
export class AuthorizationCounters {
  allowed = 0;
  denied = 0;
  shadowDiffers = 0;
  readonly #matched = new Map<string, number>();
  #rules: readonly CompiledRule[] = [];

  /** The rules in force; what was counted of others is forgotten. */
  know(rules: readonly CompiledRule[]): void {
    this.#rules = rules;
    const names = new Set(rules.map(({ name }) => name));
    for (const name of this.#matched.keys()) if (!names.has(name)) this.#matched.delete(name);
  }

  matched({ name }: CompiledRule): void {
    this.#matched.set(name, (this.#matched.get(name) ?? 0) + 1);
  }

  inspect(): InspectedAuthorization {
    const { allowed, denied, shadowDiffers } = this;
    const rules = this.#rules.map(({ name, policy: { action, mode } }) => ({
      rule: name,
      action,
      mode,
      matched: this.#matched.get(name) ?? 0,
    }));
    return { allowed, denied, shadowDiffers, rules };
  }
}

export function countDecision(counters: AuthorizationCounters, { allowed, rule, audited, shadow }: AuthorizationDecision): void {
  if (allowed) counters.allowed++;
  else counters.denied++;
  if (rule !== null) counters.matched(rule);
  for (const observer of audited) counters.matched(observer);
  if (shadow === null) return;
  for (const observer of shadow.matched) counters.matched(observer);
  if (shadow.verdict.allowed !== allowed) counters.shadowDiffers++;
}
