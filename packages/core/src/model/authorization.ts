import type { StringMatch } from "./match.ts";
import type { Origin } from "./route.ts";

/** `audit` names who matched and changes nothing. */
export type AuthorizationAction = "allow" | "deny" | "audit";

/** How the path of a request is made one of many spellings, before anything reads it. The names are Istio's. */
export type PathNormalisation = "none" | "base" | "merge-slashes" | "decode-and-merge-slashes";

/** What decides who may call a service, in Istio's order: deny, then allow; with one enforced allow policy, what none allows is denied. */
export interface InboundAuthorization {
  readonly policies: readonly AuthorizationPolicy[];
  readonly pathNormalisation: PathNormalisation;
  /** Proxies in front that append to `x-forwarded-for`; 0: the client is the peer. */
  readonly trustedHops: number;
}

export interface AuthorizationPolicy {
  /** Unique among the policies of a service. */
  readonly name: string;
  readonly action: AuthorizationAction;
  /** `shadow`: asked and told of, never enforced. */
  readonly mode: "enforce" | "shadow";
  /** One must hold. None: the policy never matches, so that an allow policy denies everything and a deny policy nothing. */
  readonly rules: readonly AuthorizationRule[];
  readonly origin: Origin;
}

/**
 * Holds if one of `from`, one of `to` and all of `when` do. What is empty asks nothing: a rule of three empty lists takes every
 * request. An Istio rule is one of these; so is a policy of Envoy's RBAC (permissions in `to`, principals in `from`, trees of and, or,
 * not as groups), and a permission of a Consul intention with those before it, negated, beside its own.
 */
export interface AuthorizationRule {
  readonly name: string;
  readonly from: readonly ConditionGroup[];
  readonly to: readonly ConditionGroup[];
  readonly when: ConditionGroup;
}

/** All must hold. */
export type ConditionGroup = readonly AuthorizationCondition[];

export type AuthorizationCondition =
  | AttributeCondition
  /** One of the groups must hold, inverted by `not`. */
  | { readonly kind: "group"; readonly not: boolean; readonly groups: readonly ConditionGroup[] };

/** Compares one thing of a request with values of which one must match, inverted by `not`. */
export type AttributeCondition = { readonly not: boolean } & (
  | { readonly kind: TextAttribute; readonly values: readonly ValueMatch[] }
  | { readonly kind: "path"; readonly values: readonly PathValueMatch[] }
  /** Name in lower case. */
  | { readonly kind: "header"; readonly name: string; readonly values: readonly ValueMatch[] }
  /** A claim of the token by the names that lead to it; of a list, one element must match. */
  | { readonly kind: "claim"; readonly path: readonly string[]; readonly values: readonly ValueMatch[] }
  /** CIDR blocks or single addresses. */
  | { readonly kind: AddressAttribute; readonly blocks: readonly string[] }
  | { readonly kind: "port"; readonly ranges: readonly PortRange[] }
);

/** Of the peer: principal to service account (`namespace/account`); of the token: request principal (`issuer/subject`) to presenter. */
export type TextAttribute =
  | "principal"
  | "trust-domain"
  | "namespace"
  | "service-account"
  | "request-principal"
  | "audience"
  | "presenter"
  | "host"
  | "method"
  | "sni";

/** The other end of the connection; the client that proxies forward; this end. */
export type AddressAttribute = "peer-ip" | "client-ip" | "local-ip";

/** `present`: there is one and it is not empty; a header may be. */
export type ValueMatch = Pick<StringMatch, "kind" | "value" | "ignoreCase">;

/** `template`: `{*}` stands for one path element, `{**}` for the rest or none of it, with Envoy's rules. */
export type PathValueMatch = ValueMatch | { readonly kind: "template"; readonly value: string };

/** Both ends included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}
