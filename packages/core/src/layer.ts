import type { MeshRequest, MeshResponse } from "./message.ts";

/**
 * The one shape of everything that happens to a request, both directions, both protocols.
 * Resolves at the response head; rejects with a {@link MeshError} or with the caller's own abort reason.
 */
export type Handler = (request: MeshRequest) => Promise<MeshResponse>;

/** A behaviour around a handler. It may answer itself, change the request, look at the response, or call `next` again. */
export type Layer = (next: Handler) => Handler;

/** Where a layer of the user's own stands: around a call with all its tries, around each try, or around the application that a request came in for. */
export type LayerPlace = "request" | "attempt" | "inbound";

/**
 * A layer of the user's own. At `inbound` it decides whether the application is called, and sees its answer once the head is on its
 * way: it may refuse, by answering itself or rejecting with a {@link MeshError}, but what it changes in the request does not reach the
 * application, nor what it changes in the answer the caller.
 */
export interface UserLayer {
  readonly at: LayerPlace;
  readonly layer: Layer;
}

/** Those of one place, outermost first. */
export function layersAt(place: LayerPlace, layers: readonly UserLayer[]): readonly Layer[] {
  return layers.filter(({ at }) => at === place).map(({ layer }) => layer);
}

/** Puts layers around a handler, outermost first. What is null is not configured and not there. */
export function compose(layers: readonly (Layer | null)[], innermost: Handler): Handler {
  return layers.reduceRight<Handler>((next, layer) => (layer ? layer(next) : next), innermost);
}
