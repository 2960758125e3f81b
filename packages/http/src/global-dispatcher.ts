import { type Dispatcher, Dispatcher1Wrapper, getGlobalDispatcher } from "undici";
import { AdaptedDispatcher, type FormerDispatcher } from "./former-dispatcher.ts";
import { FORMER_GLOBAL, formerAtStart } from "./former-global.ts";

const place = globalThis as { [FORMER_GLOBAL]?: unknown };

// The process did not ask for undici 8 to be global: the built-in fetch keeps its proxy or mock until `install`.
if (formerAtStart !== undefined && place[FORMER_GLOBAL] !== formerAtStart) place[FORMER_GLOBAL] = formerAtStart;

/**
 * The dispatcher that is global now. undici 8 fills both places, so a former one that is not its wrapper was set by somebody else, and
 * is the one that the process means: Node for its proxy environment, or undici 7.
 */
export function globalDispatcher(): Dispatcher {
  const former = formerGlobal();
  return isDispatcher(former) && !(former instanceof Dispatcher1Wrapper) ? new AdaptedDispatcher(former) : getGlobalDispatcher();
}

export function formerGlobal(): unknown {
  return place[FORMER_GLOBAL];
}

export function setFormerGlobal(dispatcher: unknown): void {
  place[FORMER_GLOBAL] = dispatcher;
}

function isDispatcher(value: unknown): value is FormerDispatcher {
  return typeof value === "object" && value !== null && "dispatch" in value;
}
