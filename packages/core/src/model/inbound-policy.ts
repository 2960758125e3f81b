import type { InboundAuthorization } from "./authorization.ts";
import type { JwtRule } from "./jwt.ts";
import type { LayerReference } from "./layer-reference.ts";
import type { Origin } from "./route.ts";

/** What the processes of one service enforce on the way in. */
export interface InboundPolicy {
  readonly service: string;
  /**
   * `strict`: a request comes by mutual TLS or is refused. `permissive`: plain text is served too, and is nobody's identity.
   * `automatic`: strict in a process that has an identity, disable in one that has none.
   */
  readonly mtls: "automatic" | "strict" | "permissive" | "disable";
  /** Believe deadline and attempt headers of peers that are not authenticated. */
  readonly trustHeaders: boolean;
  /** Patterns of the SPIFFE IDs whose `x-forwarded-client-cert` is believed; everybody else's is removed. */
  readonly trustedPeers: readonly string[];
  /** A token must be valid under the rule of its issuer; a request without one passes. None: tokens are not looked at. */
  readonly jwt: readonly JwtRule[];
  /** null: nothing is decided, and paths are left as they are. */
  readonly authorization: InboundAuthorization | null;
  /** Layers of the application's own, outermost first. */
  readonly layers: readonly LayerReference[];
  readonly origin: Origin;
}
