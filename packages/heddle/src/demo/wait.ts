import { type Cancel, type Clock, sleep } from "@heddle/core";

export interface Waiting {
  readonly clock: Clock;
  /** Why the demo should end early, if it should. */
  readonly cancel: Cancel;
}

const POLL_MS = 20;

/** Waits until `condition` holds and returns for how many milliseconds; rejects with what was waited for after `limitMs`. */
export async function until(
  what: string,
  limitMs: number,
  { clock, cancel }: Waiting,
  condition: () => boolean | Promise<boolean>,
): Promise<number> {
  const startedAt = clock.now();
  while (!(await unlessCancelled(Promise.resolve(condition()), cancel))) {
    if (clock.now() - startedAt > limitMs) throw new Error(`waited ${limitMs / 1000} s in vain until ${what}`);
    await sleep(clock, POLL_MS, cancel);
  }
  return clock.now() - startedAt;
}

/** How much is measured, and what is made of a machine that is too busy for it. */
export interface Enough {
  /** As many as are wanted ... */
  readonly wanted: number;
  /** ... but after so long ... */
  readonly patienceMs: number;
  /** ... so many do. */
  readonly least: number;
}

const LONGEST_MS = 15_000;

/** Waits until `count` is enough of `what`; rejects if not even the least came. */
export async function gather(
  what: string,
  { wanted, patienceMs, least }: Enough,
  waiting: Waiting,
  count: () => number | Promise<number>,
): Promise<void> {
  const startedAt = waiting.clock.now();
  await until(`there were ${least} ${what}`, LONGEST_MS, waiting, async () => {
    const isLate = waiting.clock.now() - startedAt >= patienceMs;
    return (await count()) >= (isLate ? least : wanted);
  });
}

/** The promise's result, or the reason to end as soon as there is one. */
export function unlessCancelled<T>(promise: Promise<T>, cancel: Cancel): Promise<T> {
  return new Promise((resolve, reject) => {
    cancel.onCancel(reject);
    promise.then(resolve, reject).finally(() => cancel.offCancel(reject));
  });
}
