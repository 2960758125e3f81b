import type { AuthorizationPolicy, JwtRule, PathNormalisation } from "@heddle/core";

/** What both sides are configured with, once. */
export interface PolicyCase {
  /** By which Envoy finds its routes. */
  readonly name: string;
  readonly pathNormalisation: PathNormalisation;
  readonly trustedHops: number;
  readonly policies: readonly AuthorizationPolicy[];
  readonly jwt: readonly JwtRule[];
}

/** Who calls: what of a request its connection says. */
export interface Caller {
  /** Of loopback, which it calls from. */
  readonly address: string;
  /** null: in plain text. */
  readonly id: string | null;
  /** Empty: none is asked for. Of a caller in plain text nobody hears it. */
  readonly sni: string;
}

export interface SentRequest {
  readonly caller: Caller;
  readonly method: string;
  /** As it is written on the wire. */
  readonly path: string;
  readonly host: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly token: SentToken;
}

/** Of the tokens that the rules look at. */
export interface SentToken {
  readonly kind: TokenKind;
  /** Of all of them; where the sides differ they are not `plain`. */
  readonly forms: readonly TokenForm[];
  /** null: none is valid. */
  readonly claims: Readonly<Record<string, unknown>> | null;
}

/** `loose-audience`: that of a rule as a URL, which Envoy takes for the same. */
export type TokenForm = "plain" | "other-type" | "loose-audience" | "number-claim";

/** What becomes of a token under the rule of its issuer; `none`: there is none where one is looked for. */
export type TokenKind = "none" | "valid" | "invalid";

/** `refused`: 400, before any rule. `unauthenticated`: its token is not valid. `denied`: by authorization, whatever the status. */
export type Decision = "allowed" | "denied" | "unauthenticated" | "refused";

export interface Answer {
  readonly decision: Decision;
  /** As the application saw it; null: it did not. */
  readonly path: string | null;
  /** Of those that are compared, as the application saw them. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface Compared {
  readonly policy: PolicyCase;
  readonly request: SentRequest;
}

/** Headers that the layers before the application take away or set. */
export const COMPARED_HEADERS = ["authorization", "x-token", "x-claim-sub", "x-claim-role"];

/** Trust domains of two authorities that trust each other. */
export const TRUST_DOMAINS = ["shop.test", "other.test"] as const;
/** Who serves, on both sides. */
export const SERVER_ID = "spiffe://shop.test/ns/shop/sa/reviews";
export const SERVICE = "reviews";
