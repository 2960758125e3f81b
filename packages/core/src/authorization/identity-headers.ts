import type { Reading } from "../identity/names/reading.ts";
import { parseSpiffeId } from "../identity/names/spiffe-id.ts";
import { compileSpiffeIdMatcher, type SpiffeIdMatcher } from "../identity/names/spiffe-id-matcher.ts";
import { inboundConnection, setForwardedPeers } from "../inbound-call.ts";
import { InboundRefusal } from "../inbound-refusal.ts";
import type { ForwardedPeer, Peer } from "../inbound-request-context.ts";
import type { Layer } from "../layer.ts";
import { derive, requestName } from "../message.ts";
import type { InboundPolicy } from "../model/inbound-policy.ts";
import { parseForwardedClientCert } from "./forwarded-client-cert.ts";
import { headersWithout } from "./headers-without.ts";

/** Envoy's name: whom a proxy serves. */
export const FORWARDED_CLIENT_CERT_HEADER = "x-forwarded-client-cert";

/**
 * Takes away `x-forwarded-client-cert` unless the peer of the connection is one that the policy trusts to say whom it serves. Of such a
 * peer it must be readable, or the request is refused with `invalid_request`; what it says is `req.mesh.forwardedPeers`, and never the
 * identity that authorization decides by. The claim headers of tokens are taken away where tokens are verified, whoever sent them.
 */
export function identityHeaders(policy: () => InboundPolicy | null): Layer {
  let trusted: readonly SpiffeIdMatcher[] = [];
  let compiledFrom: readonly string[] = [];
  const trustedPeers = (): readonly SpiffeIdMatcher[] => {
    const patterns = policy()?.trustedPeers ?? [];
    if (patterns !== compiledFrom) {
      trusted = compileTrustedPeers(patterns);
      compiledFrom = patterns;
    }
    return trusted;
  };
  return (next) => (request) => {
    const field = request.headers[FORWARDED_CLIENT_CERT_HEADER];
    if (field === undefined) return next(request);
    const reading = forwardedBy(inboundConnection(request).peer, field, trustedPeers());
    if (reading === null) return next(derive(request, { headers: headersWithout(request.headers, [FORWARDED_CLIENT_CERT_HEADER]) }));
    if (!reading.ok) {
      const why = `serving ${requestName(request)}: ${FORWARDED_CLIENT_CERT_HEADER}: ${reading.reason}`;
      return Promise.reject(new InboundRefusal("invalid_request", why, {}));
    }
    setForwardedPeers(request, reading.value);
    return next(request);
  };
}

/** A pattern that is none is refused before it comes into force; here it would be nobody. */
export function compileTrustedPeers(patterns: readonly string[]): readonly SpiffeIdMatcher[] {
  return patterns.map(compileSpiffeIdMatcher).flatMap((matcher) => (matcher.ok ? [matcher.value] : []));
}

/** Whom a peer that is trusted says it serves; null: nobody listens to it, and the field is to be taken away. */
export function forwardedBy(
  peer: Peer | null,
  field: string | readonly string[],
  trusted: readonly SpiffeIdMatcher[],
): Reading<readonly ForwardedPeer[]> | null {
  if (peer === null || trusted.length === 0) return null;
  const id = parseSpiffeId(peer.spiffeId);
  if (!id.ok || !trusted.some((matcher) => matcher.matches(id.value))) return null;
  // Fields of one name are one list (RFC 9110 section 5.3), as every proxy on the way may have joined them.
  return parseForwardedClientCert(typeof field === "string" ? field : field.join(","));
}
