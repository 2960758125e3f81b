import type { VerifiedToken } from "../inbound-request-context.ts";
import type { HeaderMap } from "../message.ts";
import type { JwtRule } from "../model/jwt.ts";
import { headersWithout } from "./headers-without.ts";
import { claimText } from "./token-claim-headers.ts";

/** A token that is valid, under which rule, and where it stood. */
export interface PlacedToken {
  readonly header: string;
  readonly rule: JwtRule;
  readonly token: VerifiedToken;
}

/** Headers that the rules fill from claims: whatever a caller wrote into one is not from a token. */
export function claimHeadersOf(rules: readonly JwtRule[]): readonly string[] {
  return [...new Set(rules.flatMap((rule) => rule.claimHeaders.map(({ header }) => header)))];
}

/**
 * The headers as authorization and the application may see them: no token that its rule does not forward, no claim header but those of
 * valid tokens. The same map where there is nothing to change. Of tokens that fill one header the first counts.
 */
export function headersBelowTokens(headers: HeaderMap, claimHeaders: readonly string[], tokens: readonly PlacedToken[]): HeaderMap {
  const spoofable = claimHeaders.filter((header) => headers[header] !== undefined);
  const taken = tokens.filter(({ rule }) => !rule.forward).map(({ header }) => header);
  const given = tokens.flatMap(claimFields);
  if (spoofable.length + taken.length + given.length === 0) return headers;
  const below = headersWithout(headers, [...spoofable, ...taken]);
  for (const { header, value } of given) below[header] ??= value;
  return below;
}

function claimFields({ rule, token }: PlacedToken): { readonly header: string; readonly value: string }[] {
  return rule.claimHeaders.flatMap(({ header, claim }) => {
    const value = claimText(token.claims, claim);
    return value === undefined ? [] : [{ header, value }];
  });
}
