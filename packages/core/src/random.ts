/** Uniform in [0, 1). Passed in wherever chance decides, so that a test can seed it. */
export type Random = () => number;

export const systemRandom: Random = Math.random;

/** A reproducible sequence (mulberry32): the same seed gives the same decisions. Not for cryptography. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
