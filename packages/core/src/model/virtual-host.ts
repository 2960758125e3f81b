import type { LayerReference } from "./layer-reference.ts";
import type { Origin, Route } from "./route.ts";

/** A set of authorities and the routes that requests to them take. */
export interface VirtualHost {
  /** The service's name where one service stands behind it. */
  readonly name: string;
  /** `host` (any port), `host:port`, `*.suffix`, `*`; lower case. The most specific claim wins: exact with port, exact, longest suffix, `*`. */
  readonly authorities: readonly string[];
  /** The first match in this order is taken. */
  readonly routes: readonly Route[];
  /** Layers of the application's own around its requests and their tries, outermost first. */
  readonly layers: readonly LayerReference[];
  readonly origin: Origin;
}
