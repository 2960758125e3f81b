import type { Cancel } from "@heddle/core";

const SIGNALS: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Somebody wants it to end, which is no failure of what runs. */
export class EndRequested extends Error {
  override readonly name = "EndRequested";
}

/**
 * Until disposed of, the first signal that asks to end cancels, and so does an output that nobody reads any more. A second signal of
 * the same kind ends the process at once.
 */
export function cancelWhenAsked(cancel: Cancel): Disposable {
  const stop = (signal: NodeJS.Signals) => cancel.cancel(new EndRequested(`it was asked to (${signal})`));
  const gone = ({ message }: Error) => cancel.cancel(new EndRequested(`nobody reads its output (${message})`));
  for (const signal of SIGNALS) process.once(signal, stop);
  for (const stream of [process.stdout, process.stderr]) stream.on("error", gone);
  return {
    [Symbol.dispose]() {
      for (const signal of SIGNALS) process.off(signal, stop);
      for (const stream of [process.stdout, process.stderr]) stream.off("error", gone);
    },
  };
}
