import { parseHost, parsePath, parsePort, parsePrincipal, parseValue } from "../../authorization/terms/value-forms.ts";
import { parseWhenKey } from "../../authorization/terms/when-key.ts";
import type {
  AuthorizeDocument,
  AuthorizeFromDocument,
  AuthorizeRuleDocument,
  AuthorizeToDocument,
  AuthorizeWhenDocument,
  InboundDocument,
} from "../../gen/document.ts";
import type {
  AttributeCondition,
  AuthorizationPolicy,
  AuthorizationRule,
  ConditionGroup,
  InboundAuthorization,
  PathNormalisation,
  PortRange,
} from "../../model/authorization.ts";
import type { Path } from "./places.ts";

export const DEFAULT_PATH_NORMALISATION: PathNormalisation = "merge-slashes";

/** null: nothing decides, and no path is changed. */
export function authorizationOf(inbound: InboundDocument | undefined, at: (...path: Path) => string): InboundAuthorization | null {
  if (inbound?.authorize === undefined && inbound?.pathNormalisation === undefined) return null;
  return {
    policies: (inbound.authorize ?? []).map((policy, index) => policyOf(policy, at("authorize", index))),
    pathNormalisation: inbound.pathNormalisation ?? DEFAULT_PATH_NORMALISATION,
    trustedHops: inbound.trustedHops ?? 0,
  };
}

function policyOf(policy: AuthorizeDocument, origin: string): AuthorizationPolicy {
  const { name, action = "allow", mode = "enforce", rules } = policy;
  return {
    name,
    action,
    mode,
    rules: rules === undefined ? [ruleOf(policy, name)] : rules.map((rule, index) => ruleOf(rule, rule.name ?? `${index + 1}`)),
    origin,
  };
}

export function ruleOf(
  { from = [], to = [], when = [] }: Pick<AuthorizeRuleDocument, "from" | "to" | "when">,
  name: string,
): AuthorizationRule {
  return { name, from: from.map(sourceGroup), to: to.map(operationGroup), when: when.flatMap(whenConditions) };
}

/** A list and its inverse, each a condition where it is given. */
function both(
  values: readonly string[] | undefined,
  notValues: readonly string[] | undefined,
  condition: (values: readonly string[], not: boolean) => AttributeCondition,
): readonly AttributeCondition[] {
  return [...(values === undefined ? [] : [condition(values, false)]), ...(notValues === undefined ? [] : [condition(notValues, true)])];
}

function sourceGroup(from: AuthorizeFromDocument): ConditionGroup {
  return [
    ...both(from.principals, from.notPrincipals, (values, not) => ({ kind: "principal", not, values: values.map(parsePrincipal) })),
    ...both(from.trustDomains, from.notTrustDomains, (values, not) => ({ kind: "trust-domain", not, values: parsed(values) })),
    ...both(from.namespaces, from.notNamespaces, (values, not) => ({ kind: "namespace", not, values: parsed(values) })),
    ...both(from.serviceAccounts, from.notServiceAccounts, (values, not) => ({ kind: "service-account", not, values: parsed(values) })),
    ...both(from.requestPrincipals, from.notRequestPrincipals, (values, not) => ({
      kind: "request-principal",
      not,
      values: parsed(values),
    })),
    ...both(from.ipBlocks, from.notIpBlocks, (blocks, not) => ({ kind: "peer-ip", not, blocks })),
    ...both(from.remoteIpBlocks, from.notRemoteIpBlocks, (blocks, not) => ({ kind: "client-ip", not, blocks })),
  ];
}

function operationGroup(to: AuthorizeToDocument): ConditionGroup {
  return [
    ...both(to.hosts, to.notHosts, (values, not) => ({ kind: "host", not, values: values.map(parseHost) })),
    ...both(to.ports, to.notPorts, (values, not) => ({ kind: "port", not, ranges: values.map(portRange) })),
    ...both(to.methods, to.notMethods, (values, not) => ({ kind: "method", not, values: parsed(values) })),
    ...both(to.paths, to.notPaths, (values, not) => ({ kind: "path", not, values: values.map(parsePath) })),
  ];
}

function parsed(values: readonly string[]): ReturnType<typeof parseValue>[] {
  return values.map((value) => parseValue(value));
}

/** What is no port is a range that the check of policies refuses. */
function portRange(text: string): PortRange {
  return parsePort(text) ?? { from: Number.NaN, to: Number.NaN };
}

function whenConditions({ key, values, notValues }: AuthorizeWhenDocument): readonly AttributeCondition[] {
  const parsedKey = parseWhenKey(key);
  // The format of the key was checked.
  return parsedKey.ok ? both(values, notValues, parsedKey.value) : [];
}
