import type { LayerReference } from "./layer-reference.ts";
import type { Origin } from "./route.ts";

/** What the processes of one service enforce on the way in. */
export interface InboundPolicy {
  readonly service: string;
  readonly mtls: "strict" | "permissive" | "disable";
  /** Believe deadline and attempt headers of peers that are not authenticated. */
  readonly trustHeaders: boolean;
  /** Layers of the application's own, outermost first. */
  readonly layers: readonly LayerReference[];
  readonly origin: Origin;
}
