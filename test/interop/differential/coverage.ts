import type { AuthorizationCondition } from "@heddle/core";
import type { Compared, PolicyCase } from "./cases.ts";
import type { Answers } from "./world.ts";

const ATTRIBUTES: readonly AuthorizationCondition["kind"][] = [
  ...(["principal", "trust-domain", "namespace", "service-account", "request-principal", "audience", "presenter", "claim"] as const),
  ...(["host", "method", "path", "header", "sni", "peer-ip", "client-ip", "local-ip", "port", "group"] as const),
];
const TEXTS: readonly string[] = ["exact", "prefix", "suffix", "present", "contains", "regex"];

/** Each is in so many cases at least. */
export const LEAST_OF_A_KIND = 200;
const MATCHERS: readonly string[] = [
  ...ATTRIBUTES.flatMap((kind) => [kind, `not ${kind}`]),
  ...[...TEXTS, "template"].map((kind) => `path ${kind}`),
  ...TEXTS.map((kind) => `header ${kind}`),
  ...["principal", "request-principal", "host", "sni", "claim"].flatMap((kind) =>
    ["exact", "prefix", "suffix", "present"].map((text) => `${kind} ${text}`),
  ),
  ...["allow", "deny", "audit"],
  ...["several rules", "no rule", "more than 8 rules", "in shadow"],
  ...["a token here or there", "tokens of two issuers", "an audience asked for", "claims as headers", "the token kept", "the token taken"],
  ...["none", "base", "merge-slashes", "decode-and-merge-slashes"].map((setting) => `paths ${setting}`),
  ...["0 trusted hops", "1 trusted hop", "2 trusted hops", "in plain text"],
];

/** Each of a group has so large a share of it. */
export const SHARES = { least: 0.2, most: 0.8 };
const OUTCOMES = {
  authorization: ["allowed", "denied"],
  token: ["valid", "invalid"],
  path: ["unchanged", "changed", "refused"],
} as const;

/** What was compared, by matcher and by outcome. */
export class Coverage {
  readonly #counts = new Map<string, number>();
  readonly #ofPolicy = new WeakMap<PolicyCase, readonly string[]>();

  /** By what Envoy answered. */
  count(compared: Compared, { envoy }: Answers): void {
    const { policy, request } = compared;
    const matchers = this.#ofPolicy.get(policy) ?? matchersOf(policy);
    this.#ofPolicy.set(policy, matchers);
    for (const matcher of matchers) this.#add(matcher);
    if (request.caller.id === null) this.#add("in plain text");
    const { decision } = envoy;
    const isRuled = policy.policies.length > 0;
    if (isRuled && (decision === "allowed" || decision === "denied")) this.#add(`authorization ${decision}`);
    if (request.token.kind !== "none") this.#add(`token ${decision === "unauthenticated" ? "invalid" : "valid"}`);
    // Where nothing else refuses.
    if (isRuled || policy.pathNormalisation === "none" || policy.jwt.length > 0) return;
    const changed = envoy.path !== request.path ? "changed" : "unchanged";
    this.#add(`path ${decision === "refused" ? "refused" : changed}`);
  }

  #add(what: string): void {
    this.#counts.set(what, this.of(what) + 1);
  }

  of(what: string): number {
    return this.#counts.get(what) ?? 0;
  }

  /** What was drawn too rarely, or too often; empty: all is as it should be. */
  problems(): string[] {
    const rare = MATCHERS.filter((one) => this.of(one) < LEAST_OF_A_KIND).map((one) => `${one}: ${this.of(one)} cases`);
    const shares = this.#shares().filter(({ share }) => !(share >= SHARES.least && share <= SHARES.most));
    return [...rare, ...shares.map(({ name, share }) => `${name}: ${percent(share)}`)];
  }

  lines(): string[] {
    const outcomes = this.#shares().map(({ name, share }) => `${name} ${this.of(name)} (${percent(share)})`);
    return [outcomes.join(", "), MATCHERS.map((one) => `${one} ${this.of(one)}`).join(", ")];
  }

  #shares(): { readonly name: string; readonly share: number }[] {
    return Object.entries(OUTCOMES).flatMap(([group, outcomes]) => {
      const all = outcomes.reduce((sum, outcome) => sum + this.of(`${group} ${outcome}`), 0);
      return outcomes.map((outcome) => ({ name: `${group} ${outcome}`, share: this.of(`${group} ${outcome}`) / all }));
    });
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`;
}

function matchersOf({ policies, jwt, pathNormalisation, trustedHops }: PolicyCase): readonly string[] {
  const found = new Set<string>([`paths ${pathNormalisation}`, `${trustedHops} trusted hop${trustedHops === 1 ? "" : "s"}`]);
  const add = (condition: AuthorizationCondition): void => {
    found.add(`${condition.not ? "not " : ""}${condition.kind}`);
    if (condition.kind === "group") condition.groups.flat().forEach(add);
    else if ("values" in condition) for (const { kind } of condition.values) found.add(`${condition.kind} ${kind}`);
  };
  for (const { action, mode, rules } of policies) {
    found.add(mode === "shadow" ? "in shadow" : action);
    if (rules.length > 1) found.add("several rules");
    if (rules.length === 0) found.add("no rule");
    if (rules.length > 8) found.add("more than 8 rules");
    if (mode === "shadow" || action === "audit") continue;
    for (const { from, to, when } of rules) [...from.flat(), ...to.flat(), ...when].forEach(add);
  }
  for (const { audiences, claimHeaders, forward } of jwt) {
    if (audiences.length > 0) found.add("an audience asked for");
    if (claimHeaders.length > 0) found.add("claims as headers");
    found.add(forward ? "the token kept" : "the token taken");
  }
  const places = new Set(jwt.map(({ from }) => JSON.stringify(from)));
  if (places.size > 1) found.add("a token here or there");
  else if (jwt.length > 1) found.add("tokens of two issuers");
  return [...found];
}
