import type { Origin } from "./route.ts";

/** A layer that the code of the process gives by name. */
export interface LayerReference {
  readonly use: string;
  /** Around a call with all its tries, around each try, or around the application that a request came in for. */
  readonly at: "request" | "attempt" | "inbound";
  /** Plain data for the layer's factory. */
  readonly settings: unknown;
  readonly origin: Origin;
}
