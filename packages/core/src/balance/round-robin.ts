import type { Attempt } from "../context.ts";
import type { EndpointState } from "../endpoint/endpoint.ts";
import type { BalancerPolicy } from "../model/backend.ts";
import type { Random } from "../random.ts";
import { type Balancer, isAcceptable, scanFrom, unlessProbed } from "./balancer.ts";

const FULL = 65_535;
/** Spreads the turns of equally light endpoints over the rounds. */
const OFFSET = 32_767;

/**
 * Weighted round robin by static stride scheduling (grpc-go's scheduler): in each round an endpoint is passed over in proportion to
 * how far its weight is below the greatest. Starts at a random turn, so that many clients do not move in step.
 */
export class RoundRobin implements Balancer {
  readonly policy: BalancerPolicy = "round-robin";
  readonly #random: Random;
  /** NaN until the first pick, which draws it: to explain a decision must draw nothing. */
  #turn: number = Number.NaN;
  #candidates: readonly EndpointState[] = [];
  /** Weights scaled so that the greatest is 65535; null while all are equal. */
  #strides: Uint16Array | null = null;

  constructor(random: Random) {
    this.#random = random;
  }

  pick(candidates: readonly EndpointState[], tries: readonly Attempt[]): EndpointState {
    if (candidates !== this.#candidates) this.#prepare(candidates);
    const count = candidates.length;
    const index = this.#next(count);
    const state = candidates[index] as EndpointState;
    return isAcceptable(state, tries) ? state : (scanFrom(candidates, index, tries) ?? unlessProbed(state, candidates));
  }

  #next(count: number): number {
    const strides = this.#strides;
    if (strides === null) return this.#turn++ % count;
    for (;;) {
      const turn = this.#turn++;
      const index = turn % count;
      const stride = strides[index] as number;
      const phase = (stride * Math.floor(turn / count) + index * OFFSET) % FULL;
      if (phase >= FULL - stride) return index;
    }
  }

  #prepare(candidates: readonly EndpointState[]): void {
    this.#candidates = candidates;
    if (Number.isNaN(this.#turn)) this.#turn = Math.floor(this.#random() * 2 ** 16);
    let greatest = 0;
    for (const { endpoint } of candidates) greatest = Math.max(greatest, endpoint.weight);
    const isEven = candidates.every(({ endpoint }) => endpoint.weight === greatest);
    this.#strides = isEven
      ? null
      : Uint16Array.from(candidates, ({ endpoint }) => Math.max(1, Math.round((endpoint.weight / greatest) * FULL)));
  }
}
