import { AuthorizationCounters } from "../src/authorization/counters.ts";
import type { InboundSecurity } from "../src/inbound.ts";

/** Plain text, and tokens are not looked at. */
export function plainSecurity(): InboundSecurity {
  return { mtlsMode: () => "disable", counters: new AuthorizationCounters(), authenticate: () => (next) => next };
}
