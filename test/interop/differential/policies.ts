import type {
  AuthorizationAction,
  AuthorizationCondition,
  AuthorizationPolicy,
  AuthorizationRule,
  ConditionGroup,
  JwtRule,
} from "@heddle/core";
import type { PolicyCase } from "./cases.ts";
import { condition, FROM_KINDS, group, type Surroundings, TO_KINDS, TOKEN_KINDS, withoutExclusive } from "./conditions.ts";
import type { Draws } from "./draws.ts";
import { ISSUERS, jwtRule } from "./tokens.ts";
import { CLAIM_VALUES, PATH_TEMPLATES } from "./vocabulary.ts";
import type { LanePort } from "./world.ts";

/** Of every lane as many. */
export function policyCases(draws: Draws, lanes: readonly LanePort[], count: number): PolicyCase[] {
  return Array.from({ length: count }, (_, index) => {
    const lane = lanes[index % lanes.length];
    if (lane === undefined) throw new RangeError("no lanes");
    return policyCase(draws.branch(), lane, `case-${index}`);
  });
}

function policyCase(draws: Draws, { pathNormalisation, trustedHops, port }: LanePort, name: string): PolicyCase {
  // Of paths alone: whatever is not refused is seen.
  if (draws.chance(0.12)) return { name, pathNormalisation, trustedHops, policies: [], jwt: [] };
  // Of templates alone: whatever else is asked for hides what they take.
  if (draws.chance(0.03)) return { name, pathNormalisation, trustedHops, policies: [templatePolicy(draws)], jwt: [] };
  // Of one claim that is not so alone, for the same reason.
  if (draws.chance(0.03))
    return { name, pathNormalisation, trustedHops, policies: [claimPolicy(draws)], jwt: [jwtRule(draws.one(ISSUERS))] };
  const jwt = draws.chance(0.55) ? jwtRules(draws) : [];
  const policies = authorizationPolicies(draws, { pathNormalisation, port }, tellsClaims(jwt));
  return { name, pathNormalisation, trustedHops, policies, jwt };
}

/** With tokens at two places Envoy does not say which one's claims it leaves. */
function tellsClaims(jwt: readonly JwtRule[]): boolean {
  return new Set(jwt.map(({ from }) => JSON.stringify(from))).size === 1;
}

function jwtRules(draws: Draws): JwtRule[] {
  const [one, two] = ISSUERS;
  const elsewhere = [{ header: "x-token", prefix: "" }];
  const parts = (): Partial<JwtRule> => ({
    audiences: draws.one([[], ["reviews"], ["reviews", "ratings"]]),
    forward: draws.chance(0.5),
    claimHeaders: draws.chance(0.4)
      ? [
          { header: "x-claim-sub", claim: ["sub"] },
          { header: "x-claim-role", claim: ["org", "role"] },
        ]
      : [],
  });
  return draws.weighted<() => JwtRule[]>([
    [4, () => [jwtRule(one, parts())]],
    [3, () => [jwtRule(one, parts()), jwtRule(two, parts())]],
    [1, () => [jwtRule(two, { ...parts(), from: elsewhere })]],
    [2, () => [jwtRule(one, { ...parts(), claimHeaders: [] }), jwtRule(two, { ...parts(), from: elsewhere, claimHeaders: [] })]],
  ])();
}

function authorizationPolicies(draws: Draws, surroundings: Surroundings, hasClaims: boolean): AuthorizationPolicy[] {
  const actions = draws.weighted<readonly AuthorizationAction[]>([
    [3, ["allow"]],
    [2, ["deny"]],
    [4, ["deny", "allow"]],
    [1, ["allow", "allow"]],
    [1, ["deny", "allow", "allow"]],
  ]);
  const enforced = actions.map((action, index) => policy(draws, action, `${action}-${index}`, surroundings, hasClaims));
  // They change nothing, and Envoy is not told of them.
  const silent: AuthorizationPolicy[] = draws.chance(0.15)
    ? [{ ...policy(draws, draws.one(["allow", "deny"]), "silent", surroundings, hasClaims), mode: "shadow" }]
    : [];
  const audit = draws.chance(0.1) ? [policy(draws, "audit", "audit", surroundings, hasClaims)] : [];
  return [...silent, ...enforced, ...audit];
}

function templatePolicy(draws: Draws): AuthorizationPolicy {
  const values = [{ kind: "template", value: draws.one(PATH_TEMPLATES) } as const];
  const rules = [{ name: "rule-0", from: [], to: [[{ kind: "path", not: false, values } as const]], when: [] }];
  return { name: "allow-0", action: "allow", mode: "enforce", rules, origin: "test" };
}

function claimPolicy(draws: Draws): AuthorizationPolicy {
  const values = [{ kind: "exact", value: draws.one(CLAIM_VALUES.groups ?? []), ignoreCase: false } as const];
  const rules = [{ name: "rule-0", from: [[{ kind: "claim", not: true, path: ["groups"], values } as const]], to: [], when: [] }];
  return { name: "allow-0", action: "allow", mode: "enforce", rules, origin: "test" };
}

function policy(draws: Draws, action: AuthorizationAction, name: string, at: Surroundings, hasClaims: boolean): AuthorizationPolicy {
  // Enough in a few that ours looks rules up instead of asking each.
  const most = draws.chance(0.08) ? 14 : 3;
  const fewest = most > 3 ? 9 : draws.chance(0.04) ? 0 : 1;
  const rules = draws.times(fewest, fewest === 0 ? 0 : most, () => rule(draws, action, at, hasClaims));
  return { name, action, mode: "enforce", rules: rules.map((one, index) => ({ ...one, name: `rule-${index}` })), origin: "test" };
}

function rule(draws: Draws, action: AuthorizationAction, at: Surroundings, hasClaims: boolean): AuthorizationRule {
  // What denies asks for more, so that it does not deny everything.
  const least = action === "deny" ? 1 : 0;
  const fromKinds = hasClaims ? [...FROM_KINDS, ...TOKEN_KINDS] : FROM_KINDS;
  const conditions = (kinds: readonly AuthorizationCondition["kind"][]): ConditionGroup =>
    withoutExclusive(
      draws.times(1, 2, () => {
        const drawn = kinds as typeof FROM_KINDS;
        return draws.chance(0.06) ? group(draws, drawn, at) : condition(draws, draws.one(drawn), at);
      }),
    );
  const from = draws.times(draws.chance(0.6) ? 1 : 0, 2, () => conditions(fromKinds));
  const to = draws.times(draws.chance(0.5) ? 1 : least, 2, () => conditions(TO_KINDS));
  const when = draws.chance(0.3) ? [condition(draws, draws.one([...fromKinds, ...TO_KINDS]), at)] : [];
  return { name: "", from, to, when };
}
