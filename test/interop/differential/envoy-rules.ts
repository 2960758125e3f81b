import type {
  AttributeCondition,
  AuthorizationAction,
  AuthorizationCondition,
  AuthorizationPolicy,
  AuthorizationRule,
  ConditionGroup,
  PathValueMatch,
  ValueMatch,
} from "@heddle/core";

/** Envoy tells principals (who is calling) and permissions (what is asked for) apart, each with words of its own for and, or, not. */
type Side = "principal" | "permission";
type Matcher = Readonly<Record<string, unknown>>;

const WORDS = {
  principal: { all: "and_ids", any: "or_ids", list: "ids", not: "not_id" },
  permission: { all: "and_rules", any: "or_rules", list: "rules", not: "not_rule" },
} as const;

const ANYTHING: Matcher = { any: true };

const PRINCIPALS: readonly AuthorizationCondition["kind"][] = [
  ...(["principal", "trust-domain", "namespace", "service-account"] as const),
  ...(["request-principal", "audience", "presenter", "claim", "peer-ip", "client-ip"] as const),
];

export function sideOf(condition: AuthorizationCondition): Side {
  if (condition.kind === "group")
    return condition.groups.flat().some((inner) => sideOf(inner) === "principal") ? "principal" : "permission";
  return PRINCIPALS.includes(condition.kind) ? "principal" : "permission";
}

/** The rules of all enforced policies of an action as Istio's pilot gives them to Envoy's filter; null: the filter is not there. */
export function envoyRules(policies: readonly AuthorizationPolicy[], action: AuthorizationAction): object | null {
  const enforced = policies.filter((policy) => policy.action === action && policy.mode === "enforce");
  if (enforced.length === 0) return null;
  const named = enforced.flatMap(({ name, rules }) => rules.map((rule, index) => [`${name}-${index}`, envoyPolicy(rule)] as const));
  return { action: action === "allow" ? "ALLOW" : "DENY", policies: Object.fromEntries(named) };
}

function envoyPolicy({ from, to, when }: AuthorizationRule): object {
  return { principals: groupsOf(from, when, "principal"), permissions: groupsOf(to, when, "permission") };
}

function groupsOf(groups: readonly ConditionGroup[], when: ConditionGroup, side: Side): readonly Matcher[] {
  const always = when.filter((condition) => sideOf(condition) === side);
  return (groups.length === 0 ? [[]] : groups).map((group) => all(side, [...group, ...always]));
}

function all(side: Side, group: ConditionGroup): Matcher {
  const { all: word, list } = WORDS[side];
  return group.length === 0 ? ANYTHING : { [word]: { [list]: group.map((condition) => matcher(side, condition)) } };
}

function matcher(side: Side, condition: AuthorizationCondition): Matcher {
  const { any, list, not } = WORDS[side];
  const choices = condition.kind === "group" ? condition.groups.map((group) => all(side, group)) : choicesOf(condition);
  const one = { [any]: { [list]: choices } };
  return condition.not ? { [not]: one } : one;
}

/** One for each value. */
function choicesOf(condition: AttributeCondition): readonly Matcher[] {
  switch (condition.kind) {
    case "path":
      return condition.values.map(pathMatcher);
    case "header":
      return condition.values.map((value) => headerMatcher(condition.name, value));
    case "host":
      return condition.values.map((value) => headerMatcher(":authority", value));
    case "method":
      return condition.values.map((value) => headerMatcher(":method", value));
    case "sni":
      return condition.values.map((value) => ({ requested_server_name: stringMatcher(value) }));
    case "port":
      // Envoy's range leaves its end out.
      return condition.ranges.map(({ from, to }) =>
        from === to ? { destination_port: from } : { destination_port_range: { start: from, end: to + 1 } },
      );
    case "local-ip":
      return condition.blocks.map((block) => ({ destination_ip: cidr(block) }));
    case "peer-ip":
      return condition.blocks.map((block) => ({ direct_remote_ip: cidr(block) }));
    case "client-ip":
      return condition.blocks.map((block) => ({ remote_ip: cidr(block) }));
    case "claim":
      return condition.values.map((value) => claimMatcher(condition.path, value));
    default:
      return condition.values.map((value) => identityMatcher(condition.kind, value));
  }
}

function identityMatcher(kind: Exclude<AttributeCondition["kind"], "path">, value: ValueMatch): Matcher {
  const authenticated = (match: object): Matcher => ({ authenticated: { principal_name: match } });
  const written = escaped(value);
  switch (kind) {
    case "principal":
      return authenticated(stringMatcher(value));
    case "trust-domain":
      return authenticated(regex(`spiffe://${written}/.*`));
    case "namespace":
      return authenticated(regex(`.*/ns/${written}/.*`));
    case "service-account": {
      const [namespace, account] = value.value.split("/");
      return authenticated(regex(`.*/ns/${namespace}/sa/${account}`));
    }
    case "audience":
      return claimMatcher(["aud"], value);
    case "presenter":
      return claimMatcher(["azp"], value);
    case "request-principal":
      return requestPrincipal(value);
    default:
      throw new TypeError(`${kind} is no identity`);
  }
}

/** Within one element of an ID. */
function escaped({ kind, value }: ValueMatch): string {
  const text = value.replaceAll(/[.\\+*?()|[\]{}^$]/g, "\\$&");
  const { prefix, suffix, contains, exact } = {
    exact: text,
    prefix: `${text}[^/]*`,
    suffix: `[^/]*${text}`,
    contains: `[^/]*${text}[^/]*`,
  };
  const written = { exact, prefix, suffix, contains, present: "[^/]+", regex: value }[kind];
  return written;
}

/** Issuer and subject are two claims; a value of an issuer ends at its last slash. */
function requestPrincipal(match: ValueMatch): Matcher {
  const { kind, value } = match;
  const some: ValueMatch = { kind: "present", value: "", ignoreCase: false };
  const slash = value.lastIndexOf("/");
  const issuer: ValueMatch = slash <= 0 ? some : { ...match, kind: "exact", value: value.slice(0, slash) };
  const name = value.slice(slash + 1);
  const subject: ValueMatch = name === "" ? some : { ...match, kind: kind === "suffix" && slash === 0 ? "exact" : kind, value: name };
  return { and_ids: { ids: [claimMatcher(["iss"], issuer), claimMatcher(["sub"], subject)] } };
}

function claimMatcher(path: readonly string[], value: ValueMatch): Matcher {
  const text = { string_match: stringMatcher(value) };
  return {
    sourced_metadata: {
      metadata_matcher: {
        filter: "envoy.filters.http.jwt_authn",
        path: ["payload", ...path].map((key) => ({ key })),
        value: { or_match: { value_matchers: [text, { list_match: { one_of: text } }] } },
      },
    },
  };
}

function pathMatcher(value: PathValueMatch): Matcher {
  if (value.kind !== "template") return { url_path: { path: stringMatcher(value) } };
  const path_template = value.value.replaceAll("{**}", "**").replaceAll("{*}", "*");
  const type = "type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig";
  return { uri_template: { name: "uri-template", typed_config: { "@type": type, path_template } } };
}

function headerMatcher(name: string, value: ValueMatch): Matcher {
  return { header: value.kind === "present" ? { name, present_match: true } : { name, string_match: stringMatcher(value) } };
}

function stringMatcher({ kind, value, ignoreCase }: ValueMatch): object {
  if (kind === "present") return regex(".+");
  return kind === "regex" ? regex(value) : { [kind]: value, ignore_case: ignoreCase };
}

function regex(expression: string): object {
  return { safe_regex: { regex: expression } };
}

function cidr(block: string): object {
  const [address_prefix = "", length] = block.split("/");
  return { address_prefix, prefix_len: length === undefined ? (block.includes(":") ? 128 : 32) : Number(length) };
}
