import { type CompiledRule, testRule } from "./compiled-rule.ts";
import { askWhoever } from "./condition.ts";
import type { Identity, RequestFacts } from "./facts.ts";
import type { CompiledAuthorization } from "./rules.ts";
import { UNDECIDED, YES } from "./ternary.ts";

/** Why a request may or may not pass; the words of report, access log and `explain`. */
export type AuthorizationReason =
  | "no_allow_policy"
  | "allowed_by_rule"
  | "denied_by_rule"
  /** The rule could not be decided, which counts as a match. */
  | "denied_undecided"
  | "not_allowed"
  | "path_refused";

export interface Verdict {
  readonly allowed: boolean;
  /** Of the answer where it is denied: 401 where who is calling would have decided and the request does not say, 400 for a refused path. */
  readonly status: 200 | 400 | 401 | 403;
  readonly reason: AuthorizationReason;
  /** That decided; null: it was none. */
  readonly rule: CompiledRule | null;
  /** With 401: which identities would have decided. */
  readonly missing: readonly Identity[];
  /** For people. Holds nothing of the request. */
  readonly why: string;
}

export interface AuthorizationDecision extends Verdict {
  /** Rules of audit policies that match. */
  readonly audited: readonly CompiledRule[];
  /** What would have come of it with the policies in shadow enforced too, and which of their rules match; null: there are none. */
  readonly shadow: { readonly verdict: Verdict; readonly matched: readonly CompiledRule[] } | null;
}

/** The body of every denial, as Envoy's. */
export const DENIED_BODY = "RBAC: access denied";

const NO_RULES: readonly CompiledRule[] = [];
const NO_IDENTITIES: readonly Identity[] = [];

const NO_ALLOW_POLICY: Verdict = {
  allowed: true,
  status: 200,
  reason: "no_allow_policy",
  rule: null,
  missing: NO_IDENTITIES,
  why: "no deny rule matches, and no allow policy is enforced",
};

/** Pure: asks, counts and sends nothing. What `mesh.explain` tells is this decision too. */
export function decide(compiled: CompiledAuthorization, facts: RequestFacts): AuthorizationDecision {
  const verdict = enforced(compiled, facts);
  if (compiled.observers.length === 0 && !compiled.hasShadow) return { ...verdict, audited: NO_RULES, shadow: null };
  // Nothing can be said of a path that is none.
  const isRefused = verdict.reason === "path_refused";
  const matched = isRefused ? NO_RULES : compiled.observers.filter((rule) => matches(rule, facts));
  return {
    ...verdict,
    audited: matched.filter(({ policy }) => policy.mode === "enforce"),
    shadow: compiled.hasShadow ? shadowOf(compiled, facts, verdict, matched) : null,
  };
}

/** What only the enforced policies say. */
function enforced(compiled: CompiledAuthorization, facts: RequestFacts): Verdict {
  if (facts.path.kind === "refused") return pathRefused(facts.path.why);
  const denying = compiled.denies.first(facts);
  if (denying !== null) return deniedBy(denying, facts);
  if (!compiled.deniesByDefault) return NO_ALLOW_POLICY;
  const allowing = compiled.allows.first(facts);
  return allowing === null ? notAllowed(compiled.allows.rules, compiled.identities, facts) : allowedBy(allowing);
}

/** Whether the rule counts as a match of its kind. */
export function matches(rule: CompiledRule, facts: RequestFacts): boolean {
  return testRule(rule, facts) >= (rule.policy.action === "allow" ? YES : UNDECIDED);
}

function shadowOf(
  compiled: CompiledAuthorization,
  facts: RequestFacts,
  verdict: Verdict,
  observed: readonly CompiledRule[],
): { readonly verdict: Verdict; readonly matched: readonly CompiledRule[] } {
  const matched = observed.filter(({ policy }) => policy.mode === "shadow");
  return { verdict: withShadow(compiled, facts, verdict, matched), matched };
}

function withShadow(compiled: CompiledAuthorization, facts: RequestFacts, verdict: Verdict, matched: readonly CompiledRule[]): Verdict {
  if (verdict.reason === "path_refused" || verdict.reason === "denied_by_rule" || verdict.reason === "denied_undecided") return verdict;
  const denying = matched.find(({ policy }) => policy.action === "deny");
  if (denying !== undefined) return deniedBy(denying, facts);
  if (verdict.reason === "allowed_by_rule") return verdict;
  const allowing = matched.find(({ policy }) => policy.action === "allow");
  if (allowing !== undefined) return allowedBy(allowing);
  if (!compiled.deniesByDefault && !compiled.wouldDenyByDefault) return verdict;
  return notAllowed(
    compiled.rules.filter(({ policy }) => policy.action === "allow"),
    compiled.identities,
    facts,
  );
}

function pathRefused(why: string): Verdict {
  return { allowed: false, status: 400, reason: "path_refused", rule: null, missing: NO_IDENTITIES, why: `the path is refused: ${why}` };
}

function allowedBy(rule: CompiledRule): Verdict {
  return { allowed: true, status: 200, reason: "allowed_by_rule", rule, missing: NO_IDENTITIES, why: `allowed by ${rule.name}` };
}

/** Who is calling would have decided if the rule might not have matched some caller. */
function deniedBy(rule: CompiledRule, facts: RequestFacts): Verdict {
  const isUndecided = testRule(rule, facts) === UNDECIDED;
  const missing = testRule(rule, facts, askWhoever) === YES ? NO_IDENTITIES : missingOf(rule, facts);
  const why = isUndecided ? `denied by ${rule.name}, which cannot be decided` : `denied by ${rule.name}`;
  return denial(isUndecided ? "denied_undecided" : "denied_by_rule", rule, missing, why);
}

/** Who is calling would have decided if some rule might have allowed some caller. */
function notAllowed(rules: readonly CompiledRule[], identities: readonly Identity[], facts: RequestFacts): Verdict {
  const lacking = identities.filter((identity) => facts[identity] === null);
  const missing = new Set<Identity>();
  for (const rule of rules) {
    // Nothing more can be found; what is denied should cost little.
    if (missing.size === lacking.length) break;
    const wanted = missingOf(rule, facts);
    if (wanted.length > 0 && testRule(rule, facts, askWhoever) === UNDECIDED) for (const identity of wanted) missing.add(identity);
  }
  return denial("not_allowed", null, [...missing].sort(), "no allow rule matches");
}

function missingOf(rule: CompiledRule, facts: RequestFacts): readonly Identity[] {
  return rule.identities.filter((identity) => facts[identity] === null);
}

function denial(reason: AuthorizationReason, rule: CompiledRule | null, missing: readonly Identity[], because: string): Verdict {
  const isAnonymous = missing.length > 0;
  const lacking = missing.map((identity) => (identity === "peer" ? "the peer has no identity" : "the request has no token")).join(" and ");
  return { allowed: false, status: isAnonymous ? 401 : 403, reason, rule, missing, why: isAnonymous ? `${because}; ${lacking}` : because };
}
