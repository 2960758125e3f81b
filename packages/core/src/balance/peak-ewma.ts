import type { Attempt } from "../context.ts";
import type { EndpointState } from "../endpoint/endpoint.ts";
import type { BalancerPolicy } from "../model/backend.ts";
import type { Random } from "../random.ts";
import type { Balancer } from "./balancer.ts";
import { pickOfTwo } from "./p2c.ts";

/** Time constant of the drift towards the mean. */
const TAU_MS = 10_000;
/** Weight of a sample that is better than the estimate. */
const RECOVERY = 0.2;
/** Weight of a sample in the mean, and how far one sample may stand out from it. */
const MEAN_WEIGHT = 0.02;
const MEAN_CLIP = 4;
/** The mean before the first sample. */
const SEED_MS = 30;
/** What a failure is taken for, so that failing fast does not attract traffic (Linkerd's load biaser). */
const PENALTY_MS = 5_000;
const MAX_PENALTY_MS = 300_000;
/** Time constant by which a penalty is forgotten: one failure should cost an endpoint seconds, not a minute, of its share. */
const PENALTY_TAU_MS = 2_000;
/** A cost of 0 would hide how many requests are in flight. */
const FLOOR_MS = 0.001;

/**
 * Peak EWMA, held. An endpoint's estimate jumps to a slower sample at once, recovers by a share of each better one, and drifts to
 * the mean of the backend while nothing is known, rather than to zero. A request in flight for longer than the estimate is itself
 * evidence. Cost = max(estimate, age of the oldest in flight) * (in flight + 1) / weight; the cheaper of two draws is picked.
 * After finagle's and tower's peak EWMA; docs/balancing.md has the reasons for the differences.
 */
export class PeakEwma implements Balancer {
  readonly policy: BalancerPolicy = "peak-ewma";
  readonly #random: Random;
  #meanMs = SEED_MS;
  #hasMean = false;
  #now = 0;
  readonly #load = (state: EndpointState): number => this.cost(state, this.#now);

  constructor(random: Random) {
    this.#random = random;
  }

  pick(candidates: readonly EndpointState[], tries: readonly Attempt[], now: number): EndpointState {
    this.#now = now;
    return pickOfTwo(candidates, tries, this.#random, this.#load);
  }

  cost(state: EndpointState, now: number): number {
    const held = this.estimate(state, now);
    const age = state.oldest === null ? 0 : now - state.oldest.startedAt;
    return (Math.max(held, age, FLOOR_MS) * (state.inFlight + 1)) / state.endpoint.weight;
  }

  /** What the endpoint is believed to take now, in milliseconds. */
  estimate(state: EndpointState, now: number): number {
    if (Number.isNaN(state.estimateMs)) return this.#meanMs;
    const elapsed = now - state.estimateAt;
    if (elapsed <= 0) return state.estimateMs;
    const weight = Math.exp(-elapsed / (state.isPenalised ? PENALTY_TAU_MS : TAU_MS));
    return state.estimateMs * weight + this.#meanMs * (1 - weight);
  }

  succeeded(state: EndpointState, elapsedMs: number, now: number): void {
    this.#observe(state, elapsedMs, now);
    if (state.isPenalised && state.estimateMs <= MEAN_CLIP * this.#meanMs) state.isPenalised = false;
    if (this.#hasMean) this.#meanMs += (Math.min(elapsedMs, MEAN_CLIP * this.#meanMs) - this.#meanMs) * MEAN_WEIGHT;
    else this.#meanMs = Math.max(elapsedMs, FLOOR_MS);
    this.#hasMean = true;
  }

  failed(state: EndpointState, retryAfterMs: number, now: number): void {
    const asked = retryAfterMs > PENALTY_MS ? Math.min(retryAfterMs, MAX_PENALTY_MS) : PENALTY_MS;
    this.#observe(state, Math.max(asked, this.estimate(state, now)), now);
    state.isPenalised = true;
    // What the endpoint asked for is kept in full, and forgotten only afterwards.
    state.estimateAt = now + Math.min(retryAfterMs, MAX_PENALTY_MS);
  }

  /** A caller that left early proves slowness, never speed. */
  cancelled(state: EndpointState, elapsedMs: number, now: number): void {
    if (elapsedMs > this.estimate(state, now)) this.#observe(state, elapsedMs, now);
  }

  #observe(state: EndpointState, sampleMs: number, now: number): void {
    const held = this.estimate(state, now);
    state.estimateMs = sampleMs > held ? sampleMs : held + (sampleMs - held) * RECOVERY;
    state.estimateAt = now;
  }
}
