import type { Clock } from "../clock.ts";
import { setVerifiedToken } from "../inbound-call.ts";
import { InboundRefusal } from "../inbound-refusal.ts";
import type { Layer } from "../layer.ts";
import { derive, type MeshRequest, requestName } from "../message.ts";
import type { InboundPolicy } from "../model/inbound-policy.ts";
import type { JwtRule } from "../model/jwt.ts";
import type { KeySets } from "./key-sets.ts";
import type { AdmittedToken } from "./token-cache.ts";
import { claimHeadersOf, headersBelowTokens } from "./token-headers.ts";
import { type FoundToken, findTokens, type TokenLocation, tokenLocations } from "./token-locations.ts";
import { TokenVerifier } from "./token-verifier.ts";

export interface AuthenticateDeps {
  readonly policy: () => InboundPolicy | null;
  readonly keySets: KeySets;
  readonly clock: Clock;
}

/** How to ask for a token (RFC 6750 section 3). The same for every service: who asks learns nothing by it. */
export const BEARER_CHALLENGE = 'Bearer realm="mesh"';
const INVALID_TOKEN = `${BEARER_CHALLENGE}, error="invalid_token", error_description="the token is not valid"`;
const INVALID_REQUEST = `${BEARER_CHALLENGE}, error="invalid_request", error_description="more than one field may hold a token"`;

interface Rules {
  readonly of: readonly JwtRule[];
  readonly locations: readonly TokenLocation[];
  readonly claimHeaders: readonly string[];
}

/** A token that is valid, and where it stood. */
interface AdmittedAt {
  readonly header: string;
  readonly admitted: AdmittedToken;
}

/** null: it is not known to be valid. */
type PresentedToken = FoundToken & { readonly admitted: AdmittedToken | null };

/**
 * Verifies the tokens that a request carries where the rules of the policy look for them. A request without one passes: asking for one is
 * authorization's. Each that is there must be valid under a rule that looks there; otherwise, also where the keys to tell cannot be had,
 * the request is refused with `unauthenticated`, which says nothing of why. `req.mesh.jwt` is the token of the first rule, in their order.
 *
 * Below this the request has no token that its rule does not forward, and no claim header but those of its valid tokens.
 */
export function authenticate({ policy, keySets, clock }: AuthenticateDeps): Layer {
  const verifier = new TokenVerifier({ clock, keySets });
  let inForce: Rules = rulesOf([]);
  const currentRules = (): Rules => {
    const jwt = policy()?.jwt ?? inForce.of;
    if (jwt !== inForce.of) {
      inForce = rulesOf(jwt);
      keySets.prepare(jwt);
    }
    return inForce;
  };
  return (next) => (request) => {
    const rules = currentRules();
    if (rules.of.length === 0) return next(request);
    const search = findTokens(rules.locations, request.headers);
    if (search.kind === "ambiguous")
      return Promise.reject(refusal(request, `${search.header} is sent more than once`, "invalid_request", INVALID_REQUEST));
    const presented = search.tokens.map((token) => ({ ...token, admitted: verifier.known(token.text, token.rules) }));
    if (presented.every(isAdmitted)) return next(admit(request, rules, presented));
    return verifyAll(verifier, request, presented).then((admitted) => next(admit(request, rules, admitted)));
  };
}

function isAdmitted(token: PresentedToken): token is PresentedToken & AdmittedAt {
  return token.admitted !== null;
}

/** One after the other: a request with many forged tokens costs one signature. */
async function verifyAll(verifier: TokenVerifier, request: MeshRequest, presented: readonly PresentedToken[]): Promise<AdmittedAt[]> {
  const all: AdmittedAt[] = [];
  for (const token of presented) {
    const { header, text, rules } = token;
    const reading = token.admitted ? { ok: true as const, value: token.admitted } : await verifier.verify(text, rules);
    if (!reading.ok) throw refusal(request, `the token in ${header} is not valid: ${reading.reason}`, "unauthenticated", INVALID_TOKEN);
    all.push({ header, admitted: reading.value });
  }
  return all;
}

function refusal(request: MeshRequest, why: string, code: "unauthenticated" | "invalid_request", challenge: string): InboundRefusal {
  return new InboundRefusal(code, `serving ${requestName(request)}: ${why}`, { headers: { "www-authenticate": challenge } });
}

function rulesOf(rules: readonly JwtRule[]): Rules {
  return { of: rules, locations: tokenLocations(rules), claimHeaders: claimHeadersOf(rules) };
}

/** The request as the application may see it. */
function admit(request: MeshRequest, rules: Rules, presented: readonly AdmittedAt[]): MeshRequest {
  const byRule = presented
    .map(({ header, admitted: { rule, token } }) => ({ header, rule, token }))
    .sort((one, other) => rules.of.indexOf(one.rule) - rules.of.indexOf(other.rule));
  const [first] = byRule;
  if (first) setVerifiedToken(request, first.token);
  const headers = headersBelowTokens(request.headers, rules.claimHeaders, byRule);
  return headers === request.headers ? request : derive(request, { headers });
}
