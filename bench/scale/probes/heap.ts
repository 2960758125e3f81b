import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** What is really held: bytes on the heap after the garbage was collected, twice, so that finalizers have run in between. */
export async function heldBytes(): Promise<number> {
  for (let time = 0; time < 2; time++) {
    collect();
    await turn();
  }
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
