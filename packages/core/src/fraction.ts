import type { Fraction } from "./model/match.ts";
import type { Random } from "./random.ts";

/** Whether chance takes this one. Where there is nothing to decide, no randomness is consumed. */
export function isTaken({ numerator, denominator }: Fraction, random: Random): boolean {
  if (numerator >= denominator) return true;
  return numerator > 0 && random() * denominator < numerator;
}

/** For people: `5%`. */
export function formatFraction({ numerator, denominator }: Fraction): string {
  return `${Number(((numerator / denominator) * 100).toFixed(4))}%`;
}
