import type { Attempt } from "../context.ts";
import { type EndpointState, wasTried } from "../endpoint/endpoint.ts";
import type { BalancerPolicy } from "../model/backend.ts";

/** Chooses among endpoints. Never waits, and allocates nothing for a pick. Told how exchanges went, because some learn from it. */
export interface Balancer {
  readonly policy: BalancerPolicy;
  /** `candidates` has at least one entry; the same array as before if nothing changed. */
  pick(candidates: readonly EndpointState[], tries: readonly Attempt[], now: number): EndpointState;
  /** `elapsedMs` until the response head. */
  succeeded?(state: EndpointState, elapsedMs: number, now: number): void;
  /** `retryAfterMs`: how long the endpoint asked to be left alone; 0 if it did not. */
  failed?(state: EndpointState, retryAfterMs: number, now: number): void;
  /** The caller left after `elapsedMs` without an answer. */
  cancelled?(state: EndpointState, elapsedMs: number, now: number): void;
}

/** A try should go to an endpoint that this request has not tried, and never as a second request to one that is being probed. */
export function isAcceptable(state: EndpointState, tries: readonly Attempt[]): boolean {
  return !state.isProbed && (tries.length <= 1 || !wasTried(state, tries));
}

/** The first acceptable endpoint from `start` on, wrapping around; null if there is none. */
export function scanFrom(candidates: readonly EndpointState[], start: number, tries: readonly Attempt[]): EndpointState | null {
  const count = candidates.length;
  for (let step = 0; step < count; step++) {
    const state = candidates[(start + step) % count] as EndpointState;
    if (isAcceptable(state, tries)) return state;
  }
  return null;
}

/** For where every endpoint was tried: `state` again, or another one if `state` is being probed and not all are. */
export function unlessProbed(state: EndpointState, candidates: readonly EndpointState[]): EndpointState {
  return state.isProbed ? (candidates.find((other) => !other.isProbed) ?? state) : state;
}
