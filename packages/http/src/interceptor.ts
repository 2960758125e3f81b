import type { Mesh } from "@heddle/core";
import type { Dispatcher } from "undici";
import { MeshDispatcher } from "./dispatcher.ts";
import type { OutboundOptions } from "./unclaimed.ts";

/** What undici's `compose` takes. */
export type MeshInterceptor = Dispatcher.DispatcherComposeInterceptor;

/**
 * For `agent.compose(meshInterceptor(mesh))`, beside interceptors of the user's own: hosts that services claim go through the mesh,
 * all others on to what it was composed with. `compose` calls the last one first, so those behind it see what the mesh is asked.
 */
export function meshInterceptor(mesh: Mesh, options: Omit<OutboundOptions, "unclaimed"> = {}): MeshInterceptor {
  return (dispatch) => {
    const dispatcher = new MeshDispatcher(mesh, { ...options, unclaimed: { dispatch } as unknown as Dispatcher });
    return (call, handler) => dispatcher.dispatch(call, handler);
  };
}
