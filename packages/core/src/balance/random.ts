import type { EndpointState } from "../endpoint/endpoint.ts";
import type { Random } from "../random.ts";
import { type Balancer, isAcceptable, scanFrom, unlessProbed } from "./balancer.ts";

/** Uniform, or by weight where weights differ. */
export function randomBalancer(random: Random): Balancer {
  let prepared: readonly EndpointState[] = [];
  let sums: Float64Array | null = null;
  return {
    policy: "random",
    pick(candidates, tries) {
      if (candidates !== prepared) {
        prepared = candidates;
        sums = cumulativeWeights(candidates);
      }
      const index = sums === null ? Math.floor(random() * candidates.length) : search(sums, random() * (sums.at(-1) as number));
      const state = candidates[index] as EndpointState;
      return isAcceptable(state, tries) ? state : (scanFrom(candidates, index, tries) ?? unlessProbed(state, candidates));
    },
  };
}

/** null where all weights are equal. */
function cumulativeWeights(candidates: readonly EndpointState[]): Float64Array | null {
  const first = candidates[0]?.endpoint.weight;
  if (candidates.every(({ endpoint }) => endpoint.weight === first)) return null;
  let sum = 0;
  return Float64Array.from(candidates, ({ endpoint }) => {
    sum += endpoint.weight;
    return sum;
  });
}

/** The first index whose sum is above `point`. */
function search(sums: Float64Array, point: number): number {
  let low = 0;
  let high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sums[middle] as number) > point) high = middle;
    else low = middle + 1;
  }
  return low;
}
