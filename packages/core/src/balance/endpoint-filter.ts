import type { EndpointState } from "../endpoint/endpoint.ts";
import { MeshError } from "../errors.ts";
import type { EndpointFilter } from "../extension-options.ts";
import { extensionFailed } from "../guard-layer.ts";
import { type MeshRequest, requestName } from "../message.ts";
import { Candidates } from "./candidates.ts";

/** Which of the endpoints a try may go to. An error where none is left, or the filter went wrong. */
export type EndpointSelection = (request: MeshRequest, states: readonly EndpointState[]) => readonly EndpointState[] | MeshError;

/**
 * Asks a filter of the application's own before each try. It may keep requests from endpoints that must not see them, so where it
 * fails nothing is sent.
 */
export function endpointSelection(backend: string, filter: EndpointFilter): EndpointSelection {
  const candidates = new Candidates();
  return (request, states) => {
    const offered = candidates.of(states);
    const what = `${backend}: its endpoint filter`;
    let chosen: unknown;
    try {
      chosen = filter(request, offered);
    } catch (error) {
      return extensionFailed(what, error);
    }
    if (chosen === offered) return states;
    if (!Array.isArray(chosen)) return new MeshError("extension_failed", `${what} gave no array of endpoints`);
    const selected: EndpointState[] = [];
    for (const candidate of chosen) {
      const state = candidates.stateOf(candidate);
      if (state === null) return new MeshError("extension_failed", `${what} gave something that is none of the endpoints it was given`);
      selected.push(state);
    }
    if (selected.length > 0) return selected;
    return new MeshError("no_endpoint", `${requestName(request)}: ${what} lets it go to none of ${states.length} endpoints`);
  };
}
