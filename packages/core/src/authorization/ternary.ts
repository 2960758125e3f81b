/** Kleene's three values: and is the least, or the greatest, not the rest to {@link YES}. */
export type Ternary = 0 | 1 | 2;

export const NO = 0;
/** It cannot be told. An allow rule does not match so, a deny or audit rule does. */
export const UNDECIDED = 1;
export const YES = 2;

export function not(value: Ternary): Ternary {
  return (YES - value) as Ternary;
}
