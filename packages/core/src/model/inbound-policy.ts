import type { Origin } from "./route.ts";

/** What the processes of one service enforce on the way in. */
export interface InboundPolicy {
  readonly service: string;
  readonly mtls: "strict" | "permissive" | "disable";
  /** Believe deadline and attempt headers of peers that are not authenticated. */
  readonly trustHeaders: boolean;
  readonly origin: Origin;
}
