import type { Mesh } from "@heddle/core";
import { type Dispatcher, getGlobalDispatcher, setGlobalDispatcher } from "undici";
import { MeshDispatcher } from "./dispatcher.ts";
import { formerGlobal, setFormerGlobal } from "./global-dispatcher.ts";

interface Installation {
  /** What was global before, in the present and in the former place. */
  readonly before: Dispatcher;
  readonly formerBefore: unknown;
  /** How many times installed and not yet taken back. */
  uses: number;
}

const installations = new WeakMap<Dispatcher, Installation>();

/**
 * Makes the mesh undici's global dispatcher, for the built-in fetch too. Disposing brings back what was there; where others were
 * installed in between, in whatever order all of them go, what was there before the first comes back with the last.
 */
export function installMesh(mesh: Mesh, dispatcher: MeshDispatcher = new MeshDispatcher(mesh)): Disposable {
  const mine = installationOf(dispatcher);
  mine.uses++;
  setGlobalDispatcher(dispatcher);
  let isDisposed = false;
  return {
    [Symbol.dispose]() {
      if (isDisposed) return;
      isDisposed = true;
      mine.uses--;
      restore();
    },
  };
}

/** The one this dispatcher still has below the current global, or a new one on top. */
function installationOf(dispatcher: Dispatcher): Installation {
  const top = getGlobalDispatcher();
  for (let at = top, below = installations.get(at); below; at = below.before, below = installations.get(at))
    if (at === dispatcher) return below;
  const added: Installation = { before: top, formerBefore: formerGlobal(), uses: 0 };
  installations.set(dispatcher, added);
  return added;
}

/** Takes off what is on top and no longer in use. */
function restore(): void {
  for (let at = getGlobalDispatcher(), top = installations.get(at); top?.uses === 0; at = top.before, top = installations.get(at)) {
    installations.delete(at);
    setGlobalDispatcher(top.before);
    setFormerGlobal(top.formerBefore);
  }
}
