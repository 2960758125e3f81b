/** The middle of a list: the mean of the two middle values where their number is even. Throws on an empty list. */
export function median(values: readonly number[]): number {
  return medianOfSorted(Float64Array.from(values).sort());
}

function medianOfSorted(sorted: Float64Array): number {
  if (sorted.length === 0) throw new RangeError("the median of nothing");
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

/** The value below which `percent` (0 to 100) of the values lie, by nearest rank. Throws on an empty list. */
export function percentile(values: ArrayLike<number>, percent: number): number {
  if (values.length === 0) throw new RangeError("a percentile of nothing");
  const sorted = Float64Array.from(values).sort();
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.min(sorted.length, Math.max(1, rank)) - 1] as number;
}

export interface Interval {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The same figures give the same interval, however often they are asked for. */
const SEED = 20_260_101;
const RESAMPLES = 1_000;

/** The median with its 95 % bootstrap interval: the middle 95 % of the medians of resamples drawn with replacement. */
export function bootstrap(values: readonly number[], resamples: number = RESAMPLES, seed: number = SEED): Interval {
  const random = mulberry32(seed);
  const medians = new Float64Array(resamples);
  const sample = new Float64Array(values.length);
  for (let round = 0; round < resamples; round++) {
    for (let index = 0; index < sample.length; index++) sample[index] = values[Math.floor(random() * values.length)] as number;
    medians[round] = medianOfSorted(sample.sort());
  }
  return { median: median(values), low: percentile(medians, 2.5), high: percentile(medians, 97.5) };
}

/** Half the interval's width, relative to the median: 0.04 is ±4 %. */
export function halfWidth(interval: Interval): number {
  return (interval.high - interval.low) / 2 / interval.median;
}

export type Verdict = "met" | "missed" | "undecided";

/** met: the median is within the limit; missed: the whole interval is above it; else nobody can say. */
export function judge(interval: Interval, limit: number): Verdict {
  if (interval.median <= limit) return "met";
  return interval.low > limit ? "missed" : "undecided";
}

/** A small seeded generator (Tommy Ettinger's mulberry32): 0 inclusive to 1 exclusive. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
