/**
 * The child's side of `run-scenario.ts`: runs with what the test gave, tells what it measured, and must then end by itself: whatever
 * keeps the process alive after that is a leak too.
 */
export async function scenario<Input, Result>(run: (input: Input) => Promise<Result>): Promise<void> {
  const result = await run(JSON.parse(process.argv[2] ?? "null") as Input);
  await new Promise((resolve) => process.send?.(result, resolve));
  process.disconnect?.();
}

/** Waits until it holds; throws with what it last saw otherwise. */
export async function until<Seen>(look: () => Seen, holds: (seen: Seen) => boolean, limitMs = 15_000): Promise<Seen> {
  const endsAt = performance.now() + limitMs;
  for (;;) {
    const seen = look();
    if (holds(seen)) return seen;
    if (performance.now() > endsAt) throw new Error(`not within ${limitMs} ms; last seen: ${JSON.stringify(seen)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
