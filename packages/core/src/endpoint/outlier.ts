import type { OutlierConfig } from "../model/backend.ts";
import type { EndpointState } from "./endpoint.ts";

/** What ejecting one endpoint depends on besides its own record. */
export interface Ejectable {
  readonly total: number;
  /** Ejected now. */
  readonly ejected: number;
}

/**
 * Outlier detection by consecutive failures (Envoy's consecutive_5xx with local-origin failures counted alike). Ejected for
 * base * multiplier, at most `maxEjection`; then half-open: one request probes. Never the last endpoint, never over the share.
 * Returns true if the endpoint's status changed.
 */
export function recordOutcome(state: EndpointState, isFailure: boolean, config: OutlierConfig, others: Ejectable, now: number): boolean {
  if (!isFailure) {
    state.consecutiveFailures = 0;
    if (state.status !== "half-open") return false;
    state.status = "ready";
    state.readySince = now;
    return true;
  }
  state.failures++;
  state.consecutiveFailures++;
  if (state.status === "half-open") return eject(state, config, now);
  if (state.status !== "ready" || state.consecutiveFailures < config.consecutiveFailures) return false;
  return mayEject(config, others) && eject(state, config, now);
}

function mayEject(config: OutlierConfig, { total, ejected }: Ejectable): boolean {
  const most = Math.min(total - 1, Math.max(1, Math.floor((total * config.maxEjectionPercent) / 100)));
  return config.maxEjectionPercent > 0 && ejected < most;
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
