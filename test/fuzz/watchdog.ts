import { Worker } from "node:worker_threads";

const STUCK_AFTER_MS = 60_000;

export interface Watchdog {
  /** Another input begins. */
  readonly beat: () => void;
  stop(): void;
}

/** Runs in a thread of its own: an endless loop in a test leaves no other way to say which input it was. */
const WATCH = `
  const { workerData } = require("node:worker_threads");
  const beats = new Int32Array(workerData.memory);
  let last = Atomics.load(beats, 0);
  setInterval(() => {
    const now = Atomics.load(beats, 0);
    if (now === last) {
      require("node:fs").writeSync(2, workerData.name + ": HEDDLE_FUZZ_SEED=" + workerData.seed + ": input " + now + " has not ended in " + workerData.afterMs + " ms\\n");
      process.kill(process.pid, "SIGKILL");
    }
    last = now;
  }, workerData.afterMs);
`;

/** Ends the process if one input takes for ever, after saying which. */
export function startWatchdog(name: string, seed: number): Watchdog {
  const memory = new SharedArrayBuffer(4);
  const beats = new Int32Array(memory);
  const worker = new Worker(WATCH, { eval: true, workerData: { memory, name, seed, afterMs: STUCK_AFTER_MS } });
  worker.unref();
  return {
    beat: () => {
      beats[0] = (beats[0] ?? 0) + 1;
    },
    stop: () => void worker.terminate(),
  };
}
