import type { RequestFacts } from "../../src/authorization/facts.ts";
import type {
  AttributeCondition,
  AuthorizationAction,
  AuthorizationCondition,
  AuthorizationPolicy,
  AuthorizationRule,
  ConditionGroup,
  PathValueMatch,
} from "../../src/model/authorization.ts";

/**
 * The semantics once more, written from the documentation to be read and not to be quick: nothing is shared with what is tested but
 * the model. true, false, or null where it cannot be told.
 */
type Told = boolean | null;

export interface NaiveDecision {
  readonly outcome: "allowed" | "denied";
  readonly status: number;
  /** `policy/rule`; null: no rule decided. */
  readonly rule: string | null;
  readonly audited: readonly string[];
  readonly shadow: { readonly outcome: "allowed" | "denied"; readonly matched: readonly string[] };
}

export function naiveDecide(policies: readonly AuthorizationPolicy[], facts: RequestFacts): NaiveDecision {
  if (facts.path.kind === "refused") {
    return { outcome: "denied", status: 400, rule: null, audited: [], shadow: { outcome: "denied", matched: [] } };
  }
  const enforced = policies.filter(({ mode }) => mode === "enforce");
  const main = verdict(enforced, facts);
  const shadowed = policies.filter(({ mode }) => mode === "shadow");
  return {
    ...main,
    audited: matching(enforced, "audit", facts),
    shadow: {
      outcome: verdict(policies, facts).outcome,
      matched: shadowed.flatMap((policy) => matching([policy], policy.action, facts)),
    },
  };
}

function verdict(policies: readonly AuthorizationPolicy[], facts: RequestFacts): Pick<NaiveDecision, "outcome" | "status" | "rule"> {
  const denies = matching(policies, "deny", facts);
  if (denies[0] !== undefined) {
    const rule = policies.flatMap(named).find(({ name }) => name === denies[0]);
    const byIdentity = rule !== undefined && matters(rule.rule, facts, (held) => held !== true);
    return { outcome: "denied", status: byIdentity ? 401 : 403, rule: denies[0] };
  }
  const allows = policies.filter(({ action }) => action === "allow");
  if (allows.length === 0) return { outcome: "allowed", status: 200, rule: null };
  const allowing = matching(policies, "allow", facts);
  if (allowing[0] !== undefined) return { outcome: "allowed", status: 200, rule: allowing[0] };
  const byIdentity = allows.flatMap(({ rules }) => rules).some((rule) => matters(rule, facts, (held) => held === null));
  return { outcome: "denied", status: byIdentity ? 401 : 403, rule: null };
}

/** The rule asks for an identity that is missing, and may have said something else had it been there. */
function matters(rule: AuthorizationRule, facts: RequestFacts, differs: (held: Told) => boolean): boolean {
  const asks = (condition: AuthorizationCondition): boolean =>
    condition.kind === "group" ? condition.groups.flat().some(asks) : isAnonymous(condition, facts);
  return [...rule.from.flat(), ...rule.to.flat(), ...rule.when].some(asks) && differs(ruleHolds(rule, facts, true));
}

function named(policy: AuthorizationPolicy): { name: string; rule: AuthorizationRule }[] {
  return policy.rules.map((rule) => ({ name: `${policy.name}/${rule.name}`, rule }));
}

function matching(policies: readonly AuthorizationPolicy[], action: AuthorizationAction, facts: RequestFacts): string[] {
  const rules = policies.filter((policy) => policy.action === action).flatMap(named);
  return rules.filter(({ rule }) => (ruleHolds(rule, facts, false) ?? action !== "allow") === true).map(({ name }) => name);
}

function ruleHolds(rule: AuthorizationRule, facts: RequestFacts, whoever: boolean): Told {
  const group = (conditions: ConditionGroup) => every(conditions.map((condition) => conditionHolds(condition, facts, whoever)));
  return every([rule.from.length === 0 || some(rule.from.map(group)), rule.to.length === 0 || some(rule.to.map(group)), group(rule.when)]);
}

function every(values: readonly Told[]): Told {
  return values.includes(false) ? false : values.includes(null) ? null : true;
}

function some(values: readonly Told[]): Told {
  return values.includes(true) ? true : values.includes(null) ? null : false;
}

function conditionHolds(condition: AuthorizationCondition, facts: RequestFacts, whoever: boolean): Told {
  const held =
    condition.kind === "group"
      ? some(condition.groups.map((group) => every(group.map((inner) => conditionHolds(inner, facts, whoever)))))
      : whoever && isAnonymous(condition, facts)
        ? null
        : attributeHolds(condition, facts);
  return held === null ? null : held !== condition.not;
}

const PEER = ["principal", "trust-domain", "namespace", "service-account"];
const TOKEN = ["request-principal", "audience", "presenter", "claim"];

function isAnonymous({ kind }: AttributeCondition, { peer, token }: RequestFacts): boolean {
  return (PEER.includes(kind) && peer === null) || (TOKEN.includes(kind) && token === null);
}

function attributeHolds(condition: AttributeCondition, facts: RequestFacts): Told {
  if ("ranges" in condition) {
    const port = facts.localPort;
    return port === null ? null : condition.ranges.some(({ from, to }) => port >= from && port <= to);
  }
  if ("blocks" in condition) {
    const client = facts.clientIp.kind === "known" ? facts.clientIp.address : null;
    const address = condition.kind === "peer-ip" ? facts.peerIp : condition.kind === "local-ip" ? facts.localIp : client;
    return address === null ? null : condition.blocks.some((block) => inBlock(address, block));
  }
  const { values } = condition;
  const wantsPresence = values.some(({ kind }) => kind === "present");
  const any = (text: string) => values.some((value) => valueMatches(value, text));
  if (isAnonymous(condition, facts)) return wantsPresence ? false : null;
  switch (condition.kind) {
    case "header": {
      const value = facts.headers[condition.name];
      if (value === undefined) return false;
      if (wantsPresence) return true;
      const readings = typeof value === "string" ? [value] : [value.join(","), ...value];
      return readings.every(any) ? true : readings.some(any) ? null : false;
    }
    case "host": {
      if (facts.authority === "") return null;
      return any(facts.authority) || any(facts.authority.replace(/:\d+$/, "").replace(/\.$/, ""));
    }
    case "claim":
      return claimHolds(condition.path.reduce<unknown>(claimUnder, facts.token?.claims), any);
    case "audience":
      return claimHolds(facts.token?.audiences, any);
    default: {
      const text = textOf(condition.kind, facts);
      return text === undefined ? (wantsPresence ? false : null) : text !== null && any(text);
    }
  }
}

function claimUnder(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? new Map<string, unknown>(Object.entries(value)).get(name)
    : undefined;
}

function claimHolds(value: unknown, any: (text: string) => boolean): Told {
  if (value === undefined) return false;
  if (typeof value !== "string" && !Array.isArray(value)) return null;
  const elements: readonly unknown[] = typeof value === "string" ? [value] : value;
  return some(elements.map((element) => (typeof element === "string" ? any(element) : null)));
}

/** undefined: it cannot be told. */
function textOf(kind: string, { peer, token, method, sni, path }: RequestFacts): string | null | undefined {
  switch (kind) {
    case "principal":
      return peer?.id;
    case "trust-domain":
      return peer?.trustDomain;
    case "namespace":
      return peer?.namespace;
    case "service-account":
      return peer?.namespace == null || peer.serviceAccount == null ? null : `${peer.namespace}/${peer.serviceAccount}`;
    case "request-principal":
      return token?.issuer == null || token.subject == null ? undefined : `${token.issuer}/${token.subject}`;
    case "presenter":
      return token?.presenter;
    case "method":
      return method;
    case "sni":
      return sni;
    case "path":
      return path.kind === "refused" ? undefined : path.pathname;
    default:
      throw new Error(`what is ${kind}?`);
  }
}

function valueMatches(match: PathValueMatch, text: string): boolean {
  if (match.kind === "present") return text !== "";
  if (match.kind === "template") return templateMatches(match.value, text);
  const [wanted, given] = match.ignoreCase ? [match.value.toLowerCase(), text.toLowerCase()] : [match.value, text];
  switch (match.kind) {
    case "exact":
      return wanted === given;
    case "prefix":
      return given.slice(0, wanted.length) === wanted;
    case "suffix":
      return wanted.length <= given.length && given.slice(given.length - wanted.length) === wanted;
    case "contains":
      return given.split(wanted).length > 1;
    case "regex":
      return new RegExp(`^(?:${match.value})$`, match.ignoreCase ? "is" : "s").test(text);
    default:
      return match.kind satisfies never;
  }
}

function templateMatches(template: string, text: string): boolean {
  const source = template
    .replace(/[.+?^$()[\]\\|]/g, "\\$&")
    .replaceAll("{**}", ".*")
    .replaceAll("{*}", "[^/]+");
  return new RegExp(`^${source}$`, "s").test(text);
}

/** Bit by bit. */
function inBlock(address: string, block: string): boolean {
  const [network = "", bits] = block.split("/");
  const wanted = network.split(".").map((part) => Number(part).toString(2).padStart(8, "0"));
  const given = [...address].map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, "0"));
  const length = bits === undefined ? 32 : Number(bits);
  return address.length === 8 && wanted.join("").slice(0, length) === given.join("").slice(0, length);
}
