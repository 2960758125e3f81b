const TICK_MS = 10;

export interface HoldUps extends Disposable {
  /** For how long the event loop came late, altogether. */
  sumMs(): number;
  /** At one time. */
  longestMs(): number;
}

/** Measures for itself how long this process is held up: by what it does, or because the machine has others to serve. */
export function holdUps(): HoldUps {
  let sumMs = 0;
  let longestMs = 0;
  let dueAt = performance.now() + TICK_MS;
  const look = (): void => {
    const now = performance.now();
    const lateMs = Math.max(0, now - dueAt);
    sumMs += lateMs;
    longestMs = Math.max(longestMs, lateMs);
    dueAt = now + TICK_MS;
  };
  const timer = setInterval(look, TICK_MS);
  return {
    sumMs: () => sumMs + Math.max(0, performance.now() - dueAt),
    longestMs: () => Math.max(longestMs, performance.now() - dueAt),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
