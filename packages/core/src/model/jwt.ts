import type { Origin } from "./route.ts";

/** Asymmetric signatures (RFC 7518, RFC 8037): no `none`, and no HMAC, whose key would be a public one. */
export const JWT_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"] as const;
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];

/** Tokens of one issuer: where they stand, and what makes them valid (RFC 7519). */
export interface JwtRule {
  /** Unique among the rules of a service. */
  readonly name: string;
  /** `iss`. */
  readonly issuer: string;
  /** One of them must be in `aud`; none: any audience. */
  readonly audiences: readonly string[];
  readonly jwks: JwksLocation;
  readonly algorithms: readonly JwtAlgorithm[];
  /** Where a token may stand. Header in lower case; what comes before the token, such as `Bearer `. */
  readonly from: readonly { readonly header: string; readonly prefix: string }[];
  /** By how much clocks may differ: tolerance of `exp`, `nbf` and `iat`. */
  readonly clockSkewMs: number;
  /** Whether the application gets the token that was verified; false: it is removed. */
  readonly forward: boolean;
  /** Headers that the application gets claims in; whoever sent them, they are removed before. */
  readonly claimHeaders: readonly { readonly header: string; readonly claim: readonly string[] }[];
  readonly origin: Origin;
}

/** Where the keys of an issuer are (RFC 7517). */
export type JwksLocation =
  | { readonly kind: "inline"; readonly jwks: { readonly keys: readonly object[] } }
  /** Read again when it changes. */
  | { readonly kind: "file"; readonly path: string }
  | {
      readonly kind: "remote";
      readonly url: string;
      /** Fetched again after it. */
      readonly maxAgeMs: number;
      /** Not fetched again sooner, however many tokens name unknown keys. */
      readonly cooldownMs: number;
      readonly timeoutMs: number;
      /** How long keys serve on that cannot be fetched again, after `maxAgeMs`. */
      readonly staleIfErrorMs: number;
    };
