import { performance } from "node:perf_hooks";
import { setImmediate as turn } from "node:timers/promises";
import type { SlotOrder, SlotResult } from "./protocol.ts";
import { percentile } from "./statistics.ts";
import type { Variant } from "./variant.ts";

/** Instant calls never leave the microtask queue; after so many, timers and sockets get a turn. */
const CALLS_PER_TURN = 64;

/** Keeps `concurrency` calls in flight for the slot's time, and says what they cost. Rejects with the first failure. */
export async function runSlot(variant: Variant, order: SlotOrder): Promise<SlotResult> {
  const latencies: number[] = [];
  const loop = variant.isInstant ? instantLoop : timedLoop;
  const startedAt = performance.now();
  const endsAt = startedAt + order.durationMs;
  const cpuBefore = process.cpuUsage();
  const counts = await Promise.all(Array.from({ length: order.concurrency }, () => loop(variant, endsAt, latencies)));
  const cpu = process.cpuUsage(cpuBefore);
  return {
    requests: counts.reduce((sum, count) => sum + count, 0),
    cpuMicros: cpu.user + cpu.system,
    elapsedMs: performance.now() - startedAt,
    p50Ms: latencies.length > 0 ? percentile(latencies, 50) : null,
    p99Ms: latencies.length > 0 ? percentile(latencies, 99) : null,
  };
}

async function timedLoop(variant: Variant, endsAt: number, latencies: number[]): Promise<number> {
  let count = 0;
  let now = performance.now();
  do {
    const startedAt = now;
    await variant.call();
    now = performance.now();
    latencies.push(now - startedAt);
    count++;
  } while (now < endsAt);
  return count;
}

async function instantLoop(variant: Variant, endsAt: number): Promise<number> {
  let count = 0;
  do {
    for (let call = 0; call < CALLS_PER_TURN; call++) await variant.call();
    count += CALLS_PER_TURN;
    await turn();
  } while (performance.now() < endsAt);
  return count;
}
