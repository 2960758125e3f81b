import { type RotatingLoad, type RotatingResult, rotatingLoad } from "../../security/rotating-load.ts";
import { heapAfterGc } from "../heap.ts";
import { liveContexts } from "../live-contexts.ts";
import "../live-timers.ts";
import { type OpenResources, openResources, resourcesAfter } from "../open-resources.ts";
import { scenario } from "../scenario.ts";
import { afterWarmUp, type Sample, type Trend, trendOf } from "../trend.ts";

export interface RotationResult extends RotatingResult {
  /** Bytes a second. */
  readonly heap: Trend;
  /** Of TLS that are reachable, a second each; and when both sides are closed. */
  readonly contexts: readonly number[];
  readonly contextsAfter: number;
  readonly before: OpenResources;
  readonly after: OpenResources;
}

const SAMPLE_MS = 1_000;

await scenario<RotatingLoad, RotationResult>(async (load) => {
  const before = openResources();
  const heap: Sample[] = [];
  const contexts: number[] = [];
  const sample = setInterval(async () => {
    const at = performance.now() / 1_000;
    heap.push({ at, value: await heapAfterGc() });
    contexts.push(await liveContexts());
  }, SAMPLE_MS);
  const result = await rotatingLoad(load);
  clearInterval(sample);
  const after = await resourcesAfter(before);
  return { ...result, heap: trendOf(afterWarmUp(heap)), contexts, contextsAfter: await liveContexts(), before, after };
});
