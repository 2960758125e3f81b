import { AuthorizationCounters } from "../src/authorization/counters.ts";
import type { InboundSecurity } from "../src/inbound.ts";

/** As strict about TLS as the policy says, and tokens are not looked at. */
export function plainSecurity(): InboundSecurity {
  return {
    mtlsMode: ({ mtls }) => (mtls === "automatic" ? "disable" : mtls),
    counters: new AuthorizationCounters(),
    authenticate: () => (next) => next,
  };
}
