import type { Cancel } from "@heddle/core";

const SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Until disposed of, the first signal that asks to end cancels; a second one of its kind ends the process at once. */
export function cancelOnSignals(cancel: Cancel): Disposable {
  const stop = (signal: NodeJS.Signals) => cancel.cancel(new Error(`it was asked to (${signal})`));
  for (const signal of SIGNALS) process.once(signal, stop);
  return {
    [Symbol.dispose]() {
      for (const signal of SIGNALS) process.off(signal, stop);
    },
  };
}
