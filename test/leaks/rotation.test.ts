import { expect, test } from "vitest";
import type { RotatingLoad } from "../security/rotating-load.ts";
import { runScenario } from "./run-scenario.ts";
import type { RotationResult } from "./scenarios/rotation.ts";

const SECONDS = Number(process.env.HEDDLE_SOAK_SECONDS ?? 30);
/**
 * Caches of what was verified fill up to their bounds in the first rotations, about 1 MB in all, whatever follows; a run without rotations
 * varies by 5 kB/s.
 */
const MAX_BYTES_A_SECOND = Math.max(15_000, 1_800_000 / SECONDS);
/** Of both sides: those in force, and those of connections that were opened before and are not renewed yet. Six were seen. */
const MAX_CONTEXTS = 12;

test.each(["http1", "http2"] as const)(
  `${SECONDS} s at concurrency 32 over %s, certificates rotated every 2 s and the root replaced once: no request fails, nothing grows`,
  { timeout: SECONDS * 1_000 + 120_000 },
  async (protocol) => {
    const input: RotatingLoad = { protocol, seconds: SECONDS, concurrency: 32, rotateEveryMs: 2_000 };
    const result = await runScenario<RotationResult>("rotation", input, SECONDS * 1_000 + 90_000);
    const { requests, failures, generations, heap, contexts, contextsAfter, serials, handshakes, before, after } = result;
    console.log(
      `${protocol}: ${requests} requests, ${generations} generations, ${serials.length} serials in ${handshakes} handshakes, contexts ${contexts.join(" ")}, then ${contextsAfter}, heap ${heap.slope.toFixed(0)} +- ${heap.error.toFixed(0)} bytes/s`,
    );
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(1_000);
    expect(generations).toBeGreaterThanOrEqual(SECONDS / 2 - 3);
    // Of what was shown in handshakes: what is open is renewed within half a minute, or when the server asks for it.
    expect(serials.length).toBeGreaterThan(1);
    expect(serials).not.toContain("none");
    expect(heap.slope).toBeLessThan(MAX_BYTES_A_SECOND);
    expect(Math.max(...contexts)).toBeLessThanOrEqual(MAX_CONTEXTS);
    expect(Math.min(...contexts)).toBeGreaterThanOrEqual(1);
    expect(contextsAfter).toBe(0);
    expect(after).toEqual(before);
  },
);
