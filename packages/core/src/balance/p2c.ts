import type { Attempt } from "../context.ts";
import type { EndpointState } from "../endpoint/endpoint.ts";
import type { Random } from "../random.ts";
import { isAcceptable, scanFrom, unlessProbed } from "./balancer.ts";

/** Draws before a scan: four find an acceptable endpoint in over 99 % of cases while at most half are not (finagle's panic mode). */
const DRAWS = 4;

/**
 * Power of two choices (Mitzenmacher 2001): two distinct uniform endpoints, the one with the lower load wins, the first on a tie.
 * O(1) however many there are.
 */
export function pickOfTwo(
  candidates: readonly EndpointState[],
  tries: readonly Attempt[],
  random: Random,
  load: (state: EndpointState) => number,
): EndpointState {
  const count = candidates.length;
  if (count === 1) return candidates[0] as EndpointState;
  let first = 0;
  let cheaper = candidates[0] as EndpointState;
  for (let draw = 0; draw < DRAWS; draw++) {
    first = Math.floor(random() * count);
    let second = Math.floor(random() * (count - 1));
    if (second >= first) second++;
    const one = candidates[first] as EndpointState;
    const other = candidates[second] as EndpointState;
    const isOne = isAcceptable(one, tries);
    const isOther = isAcceptable(other, tries);
    cheaper = isOne !== isOther ? (isOne ? one : other) : load(one) <= load(other) ? one : other;
    if (isOne || isOther) return cheaper;
  }
  // Where every endpoint was tried, the cheaper of the last draw is as good as any.
  return scanFrom(candidates, first, tries) ?? unlessProbed(cheaper, candidates);
}
