/** What is used of opossum's CircuitBreaker to see in which state it is. */
interface HalfOpening {
  readonly halfOpen: boolean;
  once(event: "open" | "close", listener: () => void): unknown;
}

/** When the half-open state that a breaker is in now ends. */
const ends = new WeakMap<object, Promise<void>>();

/**
 * opossum takes any success for that of its probe while it is half-open, also one of a call that began before it opened, and closes
 * without knowing better. Such a result waits until the probe has decided. Returns what to await before a result is handed to the
 * breaker: null if nothing.
 */
export function watchLate(breaker: unknown): () => Promise<void> | null {
  if (!isHalfOpening(breaker) || breaker.halfOpen) return () => null;
  return () => (breaker.halfOpen ? endOf(breaker) : null);
}

function endOf(breaker: HalfOpening): Promise<void> {
  let end = ends.get(breaker);
  if (!end) {
    end = new Promise<void>((resolve) => {
      breaker.once("open", resolve);
      breaker.once("close", resolve);
    }).then(() => {
      ends.delete(breaker);
    });
    ends.set(breaker, end);
  }
  return end;
}

function isHalfOpening(breaker: unknown): breaker is HalfOpening {
  const { halfOpen, once } = breaker as Partial<HalfOpening>;
  return typeof halfOpen === "boolean" && typeof once === "function";
}
