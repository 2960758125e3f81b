import type { Clock } from "../../clock.ts";
import type { BreakerConfig } from "../../model/backend.ts";
import { Breaker, type CircuitBreaker } from "../breaker.ts";
import { OpossumBreaker } from "./opossum-breaker.ts";

/** A breaker of the engine that was configured. */
export function breakerOf(config: BreakerConfig, clock: Clock): CircuitBreaker {
  return config.engine === "opossum" ? new OpossumBreaker(config, clock) : new Breaker(config, clock.now());
}

/** The breaker for another configuration: the same one, unless the engine is another; null for none. */
export function reconfigured(
  breaker: CircuitBreaker | null,
  before: BreakerConfig | null,
  config: BreakerConfig | null,
  clock: Clock,
): CircuitBreaker | null {
  if (breaker !== null && config !== null && before?.engine === config.engine) {
    breaker.configure(config);
    return breaker;
  }
  breaker?.close();
  return config === null ? null : breakerOf(config, clock);
}
