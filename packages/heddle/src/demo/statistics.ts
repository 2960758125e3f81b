/** How many standard deviations hold 99.99 % of a normal distribution: a fair split is called unfair once in 10,000 times. */
const DEVIATIONS = 3.89;

export interface ShareCheck {
  readonly held: boolean;
  /** For people: what was measured, and what it was held against. */
  readonly seen: string;
}

/** Whether `hits` of `total` is what independent draws with this chance give, by the normal approximation of the binomial. */
export function checkShare(hits: number, total: number, chance: number, what: string): ShareCheck {
  const margin = DEVIATIONS * Math.sqrt((chance * (1 - chance)) / Math.max(1, total));
  const share = hits / Math.max(1, total);
  return {
    held: total > 0 && Math.abs(share - chance) <= margin,
    seen: `${percent(share)} of ${total} ${what} (99.99 % of fair draws: ${percent(Math.max(0, chance - margin))} to ${percent(Math.min(1, chance + margin))})`,
  };
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
