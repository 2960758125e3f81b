/** How a string is compared. `not` inverts the result; a missing value matches nothing, and inverted, everything. */
export interface StringMatch {
  readonly kind: "exact" | "prefix" | "suffix" | "contains" | "regex" | "present";
  /** Unused for `present`. `regex`: RE2 syntax, must match the whole string. */
  readonly value: string;
  readonly ignoreCase: boolean;
  readonly not: boolean;
}

/** `prefix` matches whole path elements (`/api` matches `/api` and `/api/x`, not `/apix`); `string-prefix` matches characters, as xDS `prefix`. */
export interface PathMatch {
  readonly kind: "exact" | "prefix" | "string-prefix" | "suffix" | "regex";
  readonly value: string;
  readonly ignoreCase: boolean;
  readonly not: boolean;
}

export interface NamedMatch {
  /** Header name in lower case, or query parameter name. */
  readonly name: string;
  readonly match: StringMatch;
}

export interface MethodMatch {
  readonly methods: readonly string[];
  readonly not: boolean;
}

/** A share of requests: numerator over denominator, exact in the units xDS has. */
export interface Fraction {
  readonly numerator: number;
  readonly denominator: 100 | 10_000 | 1_000_000;
}

/** All given parts must match; a part that is absent matches everything. */
export interface RouteMatch {
  readonly authority: StringMatch | null;
  readonly path: PathMatch | null;
  readonly method: MethodMatch | null;
  readonly headers: readonly NamedMatch[];
  readonly query: readonly NamedMatch[];
  /** Only this share of otherwise matching requests. */
  readonly fraction: Fraction | null;
}
