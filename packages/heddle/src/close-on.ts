import type { Clock, Closing, Duration } from "@heddle/core";

export interface CloseOnOptions {
  /** How long to keep serving after callers were told. Default 0. */
  readonly drain?: Duration;
  /** How long requests in flight may take after that. Default 10 s. */
  readonly limit?: Duration;
}

/** The part of a mesh that a signal closes. */
export interface ClosableMesh {
  readonly clock: Clock;
  onClose(closing: Closing): () => void;
  close(options: CloseOnOptions): Promise<void>;
}

/** What is used of `process`. */
export interface SignalledProcess {
  exitCode?: number | string | null | undefined;
  on(signal: NodeJS.Signals, listener: () => void): unknown;
  off(signal: NodeJS.Signals, listener: () => void): unknown;
  listenerCount(signal: NodeJS.Signals): number;
  exit(code?: number): unknown;
}

/** A terminal signals the whole process group, and npm and the like pass it on: what comes this soon is the same signal again. */
export const SAME_SIGNAL_MS = 1_000;

const NUMBERS: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGUSR2: 12, SIGTERM: 15 };

/**
 * Closes the mesh on the first of `signals`, then ends the process: with `process.exitCode`, or 0, as what was asked for was done; 1
 * if closing failed. Where the application listens for the signal too, ending the process stays with it. A second signal, over 1 s
 * later, ends the process at once with 128 + its number. The handlers are there until the mesh is closed or this is disposed of.
 */
export function closeOn(
  mesh: ClosableMesh,
  signals: readonly NodeJS.Signals[],
  options: CloseOnOptions = {},
  process: SignalledProcess = globalThis.process,
): Disposable {
  let signalledAt: number | null = null;
  const shutDown = async (signal: NodeJS.Signals) => {
    const isAlone = process.listenerCount(signal) === 1;
    const failed = await mesh.close(options).then(
      () => false,
      () => true,
    );
    remove();
    if (failed) process.exitCode ??= 1;
    if (isAlone) process.exit();
  };
  const listeners = [...new Set(signals)].map((signal) => {
    const listener = () => {
      const now = mesh.clock.now();
      if (signalledAt === null) {
        signalledAt = now;
        void shutDown(signal);
      } else if (now - signalledAt > SAME_SIGNAL_MS) process.exit(128 + (NUMBERS[signal] ?? 0));
    };
    process.on(signal, listener);
    return { signal, listener };
  });
  const remove = () => {
    unregister();
    for (const { signal, listener } of listeners) process.off(signal, listener);
  };
  // Closed in another way, the mesh leaves the signals to whoever comes next.
  const unregister = mesh.onClose({
    drain: () => {},
    close: async () => {
      if (signalledAt === null) remove();
    },
    destroy: () => {},
  });
  return { [Symbol.dispose]: remove };
}
