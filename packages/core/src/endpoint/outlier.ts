import type { OutlierConfig } from "../model/backend.ts";
import type { EndpointState } from "./endpoint.ts";

/** How one exchange ended. */
export interface EndedExchange {
  readonly isFailure: boolean;
  readonly startedAt: number;
  readonly now: number;
}

/** What ejecting one endpoint depends on besides its own record. */
export interface Neighbours {
  readonly total: number;
  /** Taking no requests now. */
  readonly out: number;
}

/**
 * Outlier detection by consecutive failures (Envoy's consecutive_5xx with local-origin failures counted alike). Ejected for
 * base * multiplier, at most `maxEjection`; then half-open: one request probes. Never the last endpoint, never over the share.
 * What began before the endpoint was half-open says nothing about it now. Returns true if the endpoint's status changed.
 */
export function recordOutcome(state: EndpointState, ended: EndedExchange, config: OutlierConfig, neighbours: Neighbours): boolean {
  const { isFailure, now } = ended;
  if (state.status === "half-open" && ended.startedAt < state.returnsAt) return false;
  if (!isFailure) {
    state.consecutiveFailures = 0;
    if (state.status !== "half-open") return false;
    state.status = "ready";
    state.readySince = now;
    return true;
  }
  state.consecutiveFailures++;
  if (state.status !== "half-open" && (state.status !== "ready" || state.consecutiveFailures < config.consecutiveFailures)) return false;
  return mayEject(config, neighbours) && eject(state, config, now);
}

function mayEject(config: OutlierConfig, { total, out }: Neighbours): boolean {
  return out < Math.min(total - 1, Math.floor((total * config.maxEjectionPercent) / 100));
}

function eject(state: EndpointState, config: OutlierConfig, now: number): true {
  const healthyIntervals = state.status === "half-open" ? 0 : Math.floor((now - state.readySince) / config.intervalMs);
  state.ejectionMultiplier = Math.max(0, state.ejectionMultiplier - healthyIntervals) + 1;
  const most = Math.max(config.maxEjectionMs, config.baseEjectionMs);
  state.status = "ejected";
  state.returnsAt = now + Math.min(most, config.baseEjectionMs * state.ejectionMultiplier);
  state.consecutiveFailures = 0;
  state.ejections++;
  return true;
}
