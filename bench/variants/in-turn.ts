/** The plainest balancer there is, for the variants without a mesh: each request to the next of the list. */
export function inTurn<T>(items: readonly T[]): () => T {
  let index = -1;
  return () => {
    index = (index + 1) % items.length;
    return items[index] as T;
  };
}
