import type { EndpointState } from "./endpoint.ts";

/** After its first word that it drains, an endpoint is probed this soon: a restart may be over by then. */
export const FIRST_PROBE_MS = 500;
/** Each probe that finds it still draining, or gone, doubles the wait, up to this. */
export const LAST_PROBE_MS = 30_000;

/**
 * The endpoint takes no new work: it said so, or a probe after it had said so found nobody there, which is what a restart looks like
 * and no failure to eject it for. The next probe opens a new connection: those that are idle now may be closed at any moment.
 */
export function leaveAlone(state: EndpointState, now: number): void {
  state.status = "draining";
  state.returnsAt = now + Math.min(LAST_PROBE_MS, FIRST_PROBE_MS * 2 ** state.drains);
  state.drains++;
  state.lease?.renew();
}

/** The probe was answered, by a process that does not drain. How well it answered is for the record of outliers. */
export function endDrain(state: EndpointState, now: number): void {
  state.status = "ready";
  state.readySince = now;
  state.drains = 0;
}

/** Half-open because it drained, and this exchange is its probe rather than one from before. */
export function isDrainProbe(state: EndpointState, startedAt: number): boolean {
  return state.drains > 0 && state.status === "half-open" && startedAt >= state.returnsAt;
}
