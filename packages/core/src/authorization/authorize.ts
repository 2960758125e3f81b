import type { AuthorizationNote } from "../context.ts";
import { inboundConnection } from "../inbound-call.ts";
import { InboundRefusal } from "../inbound-refusal.ts";
import type { Layer } from "../layer.ts";
import { type MeshRequest, requestName } from "../message.ts";
import type { InboundAuthorization } from "../model/authorization.ts";
import { type AuthorizationCounters, countDecision } from "./counters.ts";
import { type AuthorizationDecision, DENIED_BODY, decide } from "./decide.ts";
import { nearestRule } from "./nearest-rule.ts";
import { InboundFacts } from "./request-facts.ts";
import { compileAuthorization } from "./rules.ts";

/**
 * Lets a request pass, or rejects: `permission_denied`, and `unauthenticated` where an identity that is missing would have decided. The
 * answer says no more than that; which rule decided stands in the access log, the report and the counters.
 */
export function authorize(authorization: InboundAuthorization, counters: AuthorizationCounters): Layer {
  const compiled = compileAuthorization(authorization.policies, authorization.pathNormalisation);
  counters.know(compiled.rules);
  const nearest = (request: MeshRequest, { reason }: AuthorizationDecision): string =>
    reason === "not_allowed" ? nearestRule(compiled, factsOf(request, authorization.trustedHops)) : "";
  return (next) => (request) => {
    const decision = decide(compiled, factsOf(request, authorization.trustedHops));
    countDecision(counters, decision);
    request.context.authorization = noteOf(decision);
    return decision.allowed ? next(request) : Promise.reject(refusal(request, decision, nearest(request, decision)));
  };
}

function factsOf(request: MeshRequest, trustedHops: number): InboundFacts {
  return new InboundFacts(request, { connection: inboundConnection(request), token: request.context.inbound?.jwt }, trustedHops);
}

/** For access log, report and explanation. */
export function noteOf({ allowed, rule, reason, audited, shadow }: AuthorizationDecision): AuthorizationNote {
  return {
    rule: rule?.name ?? null,
    reason,
    audited: audited.map(({ name }) => name),
    shadow:
      shadow === null || shadow.verdict.allowed === allowed
        ? null
        : { allowed: shadow.verdict.allowed, rule: shadow.verdict.rule?.name ?? null },
  };
}

function refusal(request: MeshRequest, { status, missing, why }: AuthorizationDecision, nearest: string): InboundRefusal {
  const message = `serving ${requestName(request)}: ${why}${nearest === "" ? "" : `; ${nearest}`}`;
  const code = status === 401 ? "unauthenticated" : status === 400 ? "invalid_request" : "permission_denied";
  // RFC 9110 11.6.1: a 401 names a scheme. For a certificate there is none with a registered name.
  const headers = status === 401 ? { "www-authenticate": missing.includes("token") ? "Bearer" : "mTLS" } : {};
  return new InboundRefusal(code, message, { body: DENIED_BODY, headers: { "content-type": "text/plain", ...headers } });
}
