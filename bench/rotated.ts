/** A B C, then B C A, then C A B: nothing always follows the same other one, or always comes first. */
export function rotated<Value>(values: readonly Value[], by: number): readonly Value[] {
  const start = by % values.length;
  return [...values.slice(start), ...values.slice(0, start)];
}
