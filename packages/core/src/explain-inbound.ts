import { noteOf } from "./authorization/authorize.ts";
import { type ExplainedRule, explainAuthorization } from "./authorization/explain-decision.ts";
import { headersWithout } from "./authorization/headers-without.ts";
import { compileTrustedPeers, FORWARDED_CLIENT_CERT_HEADER, forwardedBy } from "./authorization/identity-headers.ts";
import { InboundFacts } from "./authorization/request-facts.ts";
import { compileAuthorization } from "./authorization/rules.ts";
import { normalisePath } from "./authorization/terms/normalise-path.ts";
import { checkClaims } from "./authorization/token-claims.ts";
import { claimHeadersOf, headersBelowTokens } from "./authorization/token-headers.ts";
import { findTokens, tokenLocations } from "./authorization/token-locations.ts";
import type { AuthorizationNote } from "./context.ts";
import { type DescribedConnection, describedConnection, describedTarget } from "./described-inbound.ts";
import { type Reading, read, refused } from "./identity/names/reading.ts";
import type { Peer, VerifiedToken } from "./inbound-request-context.ts";
import { emptyHeaders, type HeaderMap } from "./message.ts";
import type { InboundPolicy } from "./model/inbound-policy.ts";
import type { JwtRule } from "./model/jwt.ts";
import { checkKeys } from "./option-keys.ts";

/** A request that might come in. What is left out is not there. */
export interface ExplainInboundRequest extends DescribedConnection {
  /** Default GET. In capitals, as on the wire. */
  readonly method?: string;
  readonly url: string;
  /** As the caller sends them: what would be taken away on the way in is not looked at. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Claims of a token whose signature is good, which a header may hold too; `exp`, `nbf` and `iat` count where they are given. None: no token is valid. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** What would become of it, and every reason. */
export interface InboundExplanation {
  readonly service: string;
  readonly from: string;
  readonly mtls: "strict" | "permissive" | "disable";
  /** The path that rules and application get; null: it is refused. */
  readonly path: string | null;
  /** The code with which it is refused; null: it is served. */
  readonly refusedWith: "mtls_required" | "invalid_request" | "unauthenticated" | "permission_denied" | null;
  readonly why: string;
  /** What decided, as access log and report say it; null: nothing decides, or what does is not reached. */
  readonly authorization: AuthorizationNote | null;
  /** What every rule says of the request: those that the decision had no need to ask too. None where nothing decides. */
  readonly rules: readonly ExplainedRule[];
}

/**
 * Asks the very checks that a request passes, in their order, and counts nothing. Whether certificate and signature would be valid is not
 * asked: they are given as proved, as far as the policy lets anybody prove them. Throws TypeError for what is no URL or no SPIFFE ID.
 */
export function explainInbound(
  wanted: ExplainInboundRequest,
  policy: InboundPolicy,
  mtls: "strict" | "permissive" | "disable",
  wallMs: number,
): InboundExplanation {
  checkKeys(wanted, ["method", "url", "headers", "peer", "claims", "peerAddress", "localPort", "sni"], "mesh.explainInbound");
  const { method = "GET", url } = wanted;
  const given = { service: policy.service, from: policy.origin, mtls, authorization: null, rules: [] };
  const written = describedTarget(url, "mesh.explainInbound");
  const connection = describedConnection(wanted, policy, "mesh.explainInbound");
  if (mtls === "strict" && connection.peer === null)
    return { ...given, path: written.path, refusedWith: "mtls_required", why: "mtls is strict, and the request shows no identity" };
  const sent = headersOfPeer(headerMap({ host: written.host, ...wanted.headers }), connection.peer, policy);
  if (!sent.ok) return { ...given, path: written.path, refusedWith: "invalid_request", why: sent.reason };
  const { authorization, jwt } = policy;
  const normal = authorization === null ? null : normalisePath(written.path, authorization.pathNormalisation);
  if (normal?.kind === "refused")
    return { ...given, path: null, refusedWith: "invalid_request", why: `the path is refused: ${normal.why}` };
  const path = normal?.path ?? written.path;
  const authenticated = authenticatedBy(jwt, sent.value, wanted.claims, wallMs);
  if (!authenticated.ok) return { ...given, path, refusedWith: "unauthenticated", why: authenticated.reason };
  if (authorization === null) return { ...given, path, refusedWith: null, why: "the policy has no authorization" };
  const { token, headers } = authenticated.value;
  const request = { method, authority: written.host.toLowerCase(), headers, path };
  const facts = new InboundFacts(request, { connection, token }, authorization.trustedHops);
  const explained = explainAuthorization(compileAuthorization(authorization.policies, authorization.pathNormalisation), facts);
  const { allowed, status, why } = explained.decision;
  const refusedWith = allowed ? null : status === 401 ? "unauthenticated" : status === 400 ? "invalid_request" : "permission_denied";
  const unused = [
    ...(wanted.peer !== undefined && connection.peer === null ? ["mtls is disable, so that nobody proves an identity"] : []),
    ...(wanted.claims !== undefined && jwt.length === 0 ? ["the policy has no jwt, so that no token is looked at"] : []),
  ];
  return {
    ...given,
    path,
    refusedWith,
    why: [why, ...unused].join("; "),
    authorization: noteOf(explained.decision),
    rules: explained.rules,
  };
}

/** Without what only a trusted peer may say of whom it serves. */
function headersOfPeer(headers: HeaderMap, peer: Peer | null, { trustedPeers }: InboundPolicy): Reading<HeaderMap> {
  const field = headers[FORWARDED_CLIENT_CERT_HEADER];
  if (field === undefined) return read(headers);
  const forwarded = forwardedBy(peer, field, compileTrustedPeers(trustedPeers));
  if (forwarded === null) return read(headersWithout(headers, [FORWARDED_CLIENT_CERT_HEADER]));
  return forwarded.ok ? read(headers) : refused(`${FORWARDED_CLIENT_CERT_HEADER}: ${forwarded.reason}`);
}

interface Authenticated {
  readonly token: VerifiedToken | undefined;
  readonly headers: HeaderMap;
}

/** What is left below the check of tokens. Of a token in a header, `claims` are what it says. */
function authenticatedBy(
  rules: readonly JwtRule[],
  headers: HeaderMap,
  claims: ExplainInboundRequest["claims"],
  wallMs: number,
): Reading<Authenticated> {
  if (rules.length === 0) return read({ token: undefined, headers });
  const search = findTokens(tokenLocations(rules), headers);
  const places = search.kind === "found" ? search.tokens.map(({ header }) => header) : [search.header];
  if (claims === undefined && places[0] !== undefined)
    return refused(`the token in ${places[0]} is not valid, unless its claims are given: no signature is looked at here`);
  const claimHeaders = claimHeadersOf(rules);
  if (claims === undefined) return read({ token: undefined, headers: headersBelowTokens(headers, claimHeaders, []) });
  const valid = tokenUnder(rules, claims, wallMs);
  if (!valid.ok) return refused(`the token is not valid: ${valid.reason}`);
  const { rule, token } = valid.value;
  const placed = (places.length > 0 ? places : rule.from.slice(0, 1).map(({ header }) => header)).map((header) => ({
    header,
    rule,
    token,
  }));
  return read({ token, headers: headersBelowTokens(headers, claimHeaders, placed) });
}

function headerMap(headers: Readonly<Record<string, string>>): HeaderMap {
  const map = emptyHeaders();
  for (const [name, value] of Object.entries(headers)) map[name.toLowerCase()] = value;
  return map;
}

/** Never over: a token that says no end is explained, though none would be taken. */
const NO_END = { exp: 253_402_300_799 };

/** Claims as those of a token that was signed by its issuer's key and is valid now. */
function tokenUnder(
  rules: readonly JwtRule[],
  claims: Readonly<Record<string, unknown>>,
  wallMs: number,
): Reading<{ readonly rule: JwtRule; readonly token: VerifiedToken }> {
  const { iss, aud } = claims;
  const audiences = [aud].flat().filter((each) => typeof each === "string");
  const ofIssuer = rules.filter(({ issuer }) => issuer === iss);
  const known = () => rules.map(({ issuer }) => JSON.stringify(issuer)).join(", ");
  if (iss === undefined) return refused(`the claims have no iss, which has to be an issuer that a rule names: ${known()}`);
  if (ofIssuer.length === 0) return refused(`no rule names its issuer ${JSON.stringify(iss)}, expected one of ${known()}`);
  const rule = ofIssuer.find((each) => each.audiences.length === 0 || each.audiences.some((audience) => audiences.includes(audience)));
  if (rule === undefined)
    return refused(`none of its audiences is one of the rule's: ${ofIssuer.flatMap((each) => each.audiences).join(", ")}`);
  const claimed = checkClaims({ ...NO_END, ...claims }, rule, wallMs);
  return claimed.ok ? read({ rule, token: { ...claimed.value.token, claims } }) : claimed;
}
