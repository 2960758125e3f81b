import assert from "node:assert/strict";

/** One promise of a contract, as something that can be run: rejects with what was expected and what came. */
export interface ContractCheck<Harness> {
  /** A sentence about behaviour. */
  readonly name: string;
  run(harness: Harness): Promise<void>;
}

/** The part of a test runner that is needed: vitest's and node:test's `test` both fit. */
export type RegisterTest = (name: string, run: () => Promise<void>) => unknown;

/** Lets time pass: virtual time in a fake, real time with a real peer. */
export interface Passing {
  pass(ms: number): Promise<void>;
}

export interface ContractOptions<Harness> {
  /** What is tested, for people: it begins every test's name. */
  readonly name: string;
  /** Called once per check. */
  readonly open: () => Harness | Promise<Harness>;
  readonly test: RegisterTest;
}

/** Registers every check as a test with a harness of its own. */
export function registerChecks<Harness extends { close(): Promise<void> }>(
  checks: readonly ContractCheck<Harness>[],
  options: ContractOptions<Harness>,
): void {
  for (const check of checks) {
    options.test(`${options.name}: ${check.name}`, async () => {
      const harness = await options.open();
      try {
        await check.run(harness);
      } finally {
        await harness.close();
      }
    });
  }
}

const STEP_MS = 5;
/** Longest wait for something that must happen, in steps: 5 s. */
const MOST_STEPS = 1_000;

/** Waits until something is so; fails with `what` when it never is. */
export async function eventually(passing: Passing, isSo: () => boolean, what: string): Promise<void> {
  for (let step = 0; step < MOST_STEPS; step++) {
    if (isSo()) return;
    await passing.pass(STEP_MS);
  }
  assert.ok(isSo(), `expected within ${(MOST_STEPS * STEP_MS) / 1_000} s: ${what}`);
}

/** The outcome of a promise that must settle soon. */
export async function settled<T>(passing: Passing, promise: Promise<T>, what: string): Promise<PromiseSettledResult<T>> {
  let result: PromiseSettledResult<T> | undefined;
  promise.then(
    (value) => {
      result = { status: "fulfilled", value };
    },
    (reason: unknown) => {
      result = { status: "rejected", reason };
    },
  );
  await Promise.allSettled([Promise.resolve()]);
  await eventually(passing, () => result !== undefined, what);
  return result as PromiseSettledResult<T>;
}

/** The value of a promise that must be fulfilled soon. */
export async function fulfilled<T>(passing: Passing, promise: Promise<T>, what: string): Promise<T> {
  const result = await settled(passing, promise, what);
  if (result.status === "rejected")
    throw new assert.AssertionError({ message: `expected ${what}, but it failed: ${result.reason}`, actual: result.reason });
  return result.value;
}

/** The reason of a promise that must be rejected soon. */
export async function rejection(passing: Passing, promise: Promise<unknown>, what: string): Promise<unknown> {
  const result = await settled(passing, promise, what);
  if (result.status === "fulfilled") assert.fail(`expected ${what}, but it succeeded`);
  return result.reason;
}

/** A promise and its resolution, to hold something back until the check says so. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
