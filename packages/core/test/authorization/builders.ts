import type { PeerIdentity, RequestFacts, TokenIdentity } from "../../src/authorization/facts.ts";
import { parseAddress } from "../../src/authorization/terms/ip-block.ts";
import { normalisePath } from "../../src/authorization/terms/normalise-path.ts";
import { parseHost, parsePath, parsePrincipal, parseValue } from "../../src/authorization/terms/value-forms.ts";
import type {
  AuthorizationCondition,
  AuthorizationPolicy,
  AuthorizationRule,
  InboundAuthorization,
  TextAttribute,
} from "../../src/model/authorization.ts";

/** Builders with valid defaults, for tests. */

export function ruleOf(rule: Partial<AuthorizationRule> = {}): AuthorizationRule {
  return { name: "0", from: [], to: [], when: [], ...rule };
}

export function policyOf(policy: Partial<AuthorizationPolicy> = {}): AuthorizationPolicy {
  return { name: "policy", action: "allow", mode: "enforce", rules: [ruleOf()], origin: "mesh.yaml:1:1", ...policy };
}

/** In Istio's forms. */
export function textIs(kind: TextAttribute, ...values: string[]): AuthorizationCondition {
  const parse = kind === "principal" ? parsePrincipal : kind === "host" ? parseHost : (value: string) => parseValue(value);
  return { kind, not: false, values: values.map(parse) };
}

export function pathIs(...values: string[]): AuthorizationCondition {
  return { kind: "path", not: false, values: values.map(parsePath) };
}

export function headerIs(name: string, ...values: string[]): AuthorizationCondition {
  return { kind: "header", name, not: false, values: values.map((value) => parseValue(value)) };
}

export function claimIs(path: readonly string[], ...values: string[]): AuthorizationCondition {
  return { kind: "claim", path, not: false, values: values.map((value) => parseValue(value)) };
}

export function inverted(condition: AuthorizationCondition): AuthorizationCondition {
  return { ...condition, not: !condition.not };
}

export function peerOf(namespace: string, account: string, trustDomain = "shop.example"): PeerIdentity {
  return { id: `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`, trustDomain, namespace, serviceAccount: account };
}

export function tokenOf(token: Partial<TokenIdentity> = {}): TokenIdentity {
  return { issuer: "https://issuer.example", subject: "ada", audiences: ["reviews"], presenter: null, claims: {}, ...token };
}

export interface FactsInput extends Partial<Omit<RequestFacts, "path">> {
  readonly path?: string;
  readonly setting?: InboundAuthorization["pathNormalisation"];
}

/** A GET of /api/7 by nobody. */
export function factsOf({ path = "/api/7", setting = "merge-slashes", ...facts }: FactsInput = {}): RequestFacts {
  const peerIp = parseAddress("10.0.0.9");
  return {
    peer: null,
    token: null,
    peerIp,
    clientIp: peerIp === null ? { kind: "unknown", why: "" } : { kind: "known", address: peerIp },
    localIp: parseAddress("10.0.0.1"),
    localPort: 9081,
    sni: null,
    authority: "reviews:9081",
    method: "GET",
    headers: {},
    ...facts,
    path: normalisePath(path, setting),
  };
}
