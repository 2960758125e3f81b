import { setImmediate as turn } from "node:timers/promises";
import { liveTimers } from "./live-timers.ts";

/** Bytes that are still reachable, buffers included. What a finished promise or a closing socket lets go of gets a few turns for it. */
export async function heapAfterGc(): Promise<number> {
  await settle();
  // Node keeps the last 250 fetches of a process.
  performance.clearResourceTimings();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Collects all that can be collected. */
export async function settle(): Promise<void> {
  // Forgets the timers that are over.
  liveTimers();
  const { gc } = globalThis;
  if (!gc) throw new Error("run with --expose-gc");
  for (let pass = 0; pass < 2; pass++) {
    await turn();
    await gc({ type: "major", execution: "sync" });
  }
}
