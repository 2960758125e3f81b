import { sleep } from "@heddle/core";
import { toV2 } from "./load-window.ts";
import type { Progress } from "./progress.ts";
import type { RunningDemo } from "./running-demo.ts";
import { percent } from "./statistics.ts";
import type { Waiting } from "./wait.ts";

/** How much traffic the progress line speaks of. */
const SPAN_MS = 2_000;

/** Says where everything is and keeps it running, load included. Returns why it came to an end. */
export async function keepRunning({ instances, document, load, url }: RunningDemo, waiting: Waiting, progress: Progress): Promise<unknown> {
  const addresses = instances.map(({ name, port }) => `  ${name.padEnd(14)} http://127.0.0.1:${port}`);
  progress.line(`
It keeps running, and the load with it.
${addresses.join("\n")}
ask it:   curl ${url}
          curl -H 'x-user: jason' ${url}
edit it:  ${document.path}
end it:   Ctrl-C, or kill ${process.pid}`);
  while (!waiting.cancel.isCancelled) {
    const window = load.open();
    await sleep(waiting.clock, SPAN_MS, waiting.cancel).catch(() => {
      // Ended: so does the loop.
    });
    window.close();
    const answered = window.answered(null);
    const share = percent(toV2(answered) / Math.max(1, answered.length));
    progress.show(() => `last ${SPAN_MS / 1_000} s: ${window.requests} requests, ${share} to v2, ${window.failures} failed`);
  }
  return waiting.cancel.reason;
}
