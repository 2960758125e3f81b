import { moment, type Reading, read, refused } from "../identity/names/reading.ts";
import type { VerifiedToken } from "../inbound-request-context.ts";
import type { JwtRule } from "../model/jwt.ts";
import type { JsonObject } from "./token-json.ts";

/** What a token is worth once its signature is found good: by wall time, both ends with the tolerance of the rule. */
export interface ClaimedToken {
  readonly token: VerifiedToken;
  readonly fromMs: number;
  /** Not valid from then on. */
  readonly untilMs: number;
}

/**
 * Whether claims hold under a rule of their issuer (RFC 7519 section 4.1). `exp` must be there: a token that never ends cannot be taken
 * back. Audiences are compared as they are written.
 */
export function checkClaims(claims: JsonObject, rule: JwtRule, wallMs: number): Reading<ClaimedToken> {
  const { iss, sub, exp, nbf, iat } = claims;
  if (iss !== rule.issuer) return refused("its issuer is another");
  if (sub !== undefined && typeof sub !== "string") return refused("sub is not text");
  const audiences = audiencesOf(claims.aud);
  if (audiences === null) return refused("aud is neither text nor a list of texts");
  if (rule.audiences.length > 0 && !rule.audiences.some((audience) => audiences.includes(audience)))
    return refused("none of its audiences is one of the rule's");
  if (!isDate(exp)) return refused("exp is not there or no date");
  if (nbf !== undefined && !isDate(nbf)) return refused("nbf is no date");
  if (iat !== undefined && !isDate(iat)) return refused("iat is no date");
  const untilMs = exp * 1_000 + rule.clockSkewMs;
  const fromMs = Math.max(nbf ?? 0, iat ?? 0) * 1_000 - rule.clockSkewMs;
  if (wallMs >= untilMs) return refused(`it expired at ${moment(exp * 1_000)}`);
  if (wallMs < fromMs) return refused(`it is not valid before ${moment(Math.max(nbf ?? 0, iat ?? 0) * 1_000)}`);
  const token = Object.freeze({ rule: rule.name, issuer: rule.issuer, subject: sub ?? null, audiences: Object.freeze(audiences), claims });
  return read({ token, fromMs, untilMs });
}

/** Up to the end of the year 9999: what is later is no date that anybody meant. */
const LAST_SECOND = 253_402_300_799;

function isDate(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= LAST_SECOND;
}

function audiencesOf(aud: unknown): string[] | null {
  if (aud === undefined) return [];
  if (typeof aud === "string") return [aud];
  return Array.isArray(aud) && aud.every((one) => typeof one === "string") ? [...aud] : null;
}
