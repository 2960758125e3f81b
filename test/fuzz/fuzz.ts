import { relative } from "node:path";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { startWatchdog } from "./watchdog.ts";

/**
 * How many inputs each target gets. `HEDDLE_FUZZ_RUNS=1000000` is the mode for a night; it takes a new seed each time unless
 * `HEDDLE_FUZZ_SEED` says one. Without either the seed is always the same, so that a change is red or green by itself.
 */
const RUNS = Number(process.env.HEDDLE_FUZZ_RUNS ?? 20_000);
const SEED =
  process.env.HEDDLE_FUZZ_SEED !== undefined
    ? Number(process.env.HEDDLE_FUZZ_SEED)
    : process.env.HEDDLE_FUZZ_RUNS === undefined
      ? 1
      : (Date.now() & 0x7fffffff) >>> 0;

if (!Number.isSafeInteger(RUNS) || RUNS < 1 || !Number.isSafeInteger(SEED))
  throw new Error("HEDDLE_FUZZ_RUNS and HEDDLE_FUZZ_SEED must be integers, the first above 0");

/** No input may take longer, of the time of a processor: a busy machine lets anything wait for one, time and again. */
const SLOWEST_MS = 50;
/** What compiles or collects garbage makes anything slow once: an input is slow if it is so every time. */
const TIMED_AGAIN = 4;

export interface FuzzOptions {
  /** Of the inputs; for targets that open sockets. Default: 1. */
  readonly share?: number;
  /** For what is bounded by something larger than {@link SLOWEST_MS}. */
  readonly slowestMs?: number;
}

/** Gives `check` many inputs: it must hold for each, quickly, and leave Object.prototype and its like as they were. */
export function fuzz<Input>(name: string, inputs: fc.Arbitrary<Input>, check: (input: Input) => void, options: FuzzOptions = {}): void {
  const slowestMs = options.slowestMs ?? SLOWEST_MS;
  run(name, options, (numRuns, beat) =>
    fc.check(
      fc.property(inputs, (input) => {
        beat();
        const startedAt = performance.now();
        check(input);
        const tookMs = performance.now() - startedAt;
        if (tookMs > slowestMs) expectQuick(slowestMs, () => check(input));
        expectNoInheritedKeys();
      }),
      { seed: SEED, numRuns },
    ),
  );
}

/** The same for what answers with a promise. Not timed: what it waits for is not its own. */
export function fuzzAsync<Input>(
  name: string,
  inputs: fc.Arbitrary<Input>,
  check: (input: Input) => Promise<void>,
  options: FuzzOptions = {},
): void {
  run(name, options, (numRuns, beat) =>
    fc.check(
      fc.asyncProperty(inputs, async (input) => {
        beat();
        await check(input);
        expectNoInheritedKeys();
      }),
      { seed: SEED, numRuns },
    ),
  );
}

/** What of fast-check's details is told; those are typed by their input. */
type Details = Pick<fc.RunDetails<unknown>, "failed" | "seed" | "numRuns" | "numShrinks" | "errorInstance"> & {
  readonly counterexample: readonly unknown[] | null;
};

function run(name: string, { share = 1 }: FuzzOptions, checkAll: (numRuns: number, beat: () => void) => Details | Promise<Details>): void {
  const numRuns = Math.max(1, Math.ceil(RUNS * share));
  test(name, { timeout: 60_000 + numRuns * 5 }, async () => {
    const prototypes = prototypeFacts();
    const watchdog = startWatchdog(name, SEED);
    try {
      const details = await checkAll(numRuns, watchdog.beat);
      if (details.failed) throw failure(details, name);
    } finally {
      watchdog.stop();
    }
    expect(prototypeFacts(), `what every object inherits, after ${name}`).toEqual(prototypes);
  });
}

function failure(details: Details, name: string): Error {
  const file = relative(process.cwd(), expect.getState().testPath ?? "test/fuzz");
  const again = `again: HEDDLE_FUZZ_SEED=${details.seed} HEDDLE_FUZZ_RUNS=${RUNS} npx vitest run ${file} -t ${JSON.stringify(name)}`;
  const input = details.counterexample === null ? "none" : fc.stringify(details.counterexample[0]);
  return new Error(
    `${again}\nafter ${details.numRuns} inputs, shrunk ${details.numShrinks} times to\n${input}\n${String(
      details.errorInstance instanceof Error ? (details.errorInstance.stack ?? details.errorInstance.message) : details.errorInstance,
    )}`,
  );
}

/** As `expect(found).toEqual(expected)`, which alone takes longer than most of what is tested here. */
export function expectSame(found: unknown, expected: unknown, about?: string): void {
  if (!isDeepStrictEqual(found, expected)) expect(found, about).toEqual(expected);
}

function expectQuick(slowestMs: number, again: () => void): void {
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < TIMED_AGAIN && least > slowestMs; time++) {
    const before = process.threadCpuUsage();
    again();
    const { user, system } = process.threadCpuUsage(before);
    least = Math.min(least, (user + system) / 1_000);
  }
  if (least > slowestMs) throw new Error(`takes ${Math.round(least)} ms at best of ${TIMED_AGAIN}, expected at most ${slowestMs} ms`);
}

/** Cheap enough for every input; what is not enumerable is compared once a target is through. */
function expectNoInheritedKeys(): void {
  for (const key in {}) {
    delete (Object.prototype as Record<string, unknown>)[key];
    throw new Error(`Object.prototype has the new key ${JSON.stringify(key)}`);
  }
}

function prototypeFacts(): readonly (readonly [PropertyKey, unknown])[] {
  return [Object.prototype, Array.prototype, Function.prototype, String.prototype, Map.prototype].flatMap((prototype) =>
    Reflect.ownKeys(prototype).map((key) => {
      const { value, get, set } = Object.getOwnPropertyDescriptor(prototype, key) ?? {};
      return [key, value ?? get ?? set] as const;
    }),
  );
}
