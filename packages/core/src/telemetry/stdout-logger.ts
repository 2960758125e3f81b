import { createRequire } from "node:module";
import type { Clock } from "../clock.ts";

const require = createRequire(import.meta.url);

export interface LineLogger {
  info(line: object): void;
  close(): Promise<void>;
}

export interface StdoutLoggerDeps {
  readonly clock: Clock;
  readonly warn: (message: string) => void;
  /** File descriptor. Default 1. */
  readonly fd?: number;
}

/** What waits for a stdout that does not keep up, at most; lines after that are dropped. */
export const MAX_WAITING_BYTES: number = 4 * 1024 * 1024;

/** A stdout that nobody reads must not keep the mesh from closing. */
const FLUSH_LIMIT_MS = 2_000;

/**
 * pino on stdout. Written asynchronously, so that no request waits for a terminal or a pipe: lines that come during a write go
 * out with the next one. pino writes what is left when the process exits; a process that is killed loses it.
 */
export function stdoutLogger({ clock, warn, fd = 1 }: StdoutLoggerDeps): LineLogger {
  const pino = require("pino") as typeof import("pino");
  // With a minLength of 0, flush() calls back without waiting.
  const destination = pino.destination({ fd, sync: false, minLength: 1, maxLength: MAX_WAITING_BYTES });
  let dropped = false;
  destination.on("drop", () => {
    if (!dropped) warn("access log: stdout does not keep up; lines are being dropped");
    dropped = true;
  });
  let failed = false;
  destination.on("error", (error) => {
    if (!failed) warn(`access log: cannot write to stdout: ${String(error)}`);
    failed = true;
  });
  const logger = pino.pino({ base: null, timestamp: () => `,"time":${Math.round(clock.wallTime())}` }, destination);
  return {
    info: (line) => logger.info(line),
    close: () =>
      new Promise((resolve) => {
        const limit = clock.setTimer(FLUSH_LIMIT_MS, resolve);
        destination.flush(() => {
          clock.clearTimer(limit);
          resolve();
        });
      }),
  };
}
