import type { MeshRequest, MeshResponse } from "./message.ts";

/**
 * The one shape of everything that happens to a request, both directions, both protocols.
 * Resolves at the response head; rejects with a {@link MeshError} or with the caller's own abort reason.
 */
export type Handler = (request: MeshRequest) => Promise<MeshResponse>;

/** A behaviour around a handler. It may answer itself, change the request, look at the response, or call `next` again. */
export type Layer = (next: Handler) => Handler;

/** Puts layers around a handler, outermost first. What is null is not configured and not there. */
export function compose(layers: readonly (Layer | null)[], innermost: Handler): Handler {
  return layers.reduceRight<Handler>((next, layer) => (layer ? layer(next) : next), innermost);
}
