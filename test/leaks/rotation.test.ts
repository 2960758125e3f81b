import { expect, test } from "vitest";
import type { RotatingLoad } from "../security/rotating-load.ts";
import { runScenario } from "./run-scenario.ts";
import type { RotationResult } from "./scenarios/rotation.ts";

const SECONDS = Number(process.env.HEDDLE_SOAK_SECONDS ?? 30);
/** A channel that drains holds its connections for a moment, and each rotation makes new contexts in the place of the old ones. */
const MAX_BYTES_A_SECOND = 60_000;

test.each(["http1", "http2"] as const)(
  `${SECONDS} s at concurrency 32 over %s, certificates rotated every 2 s and the root replaced once: no request fails, nothing grows`,
  { timeout: SECONDS * 1_000 + 120_000 },
  async (protocol) => {
    const input: RotatingLoad = { protocol, seconds: SECONDS, concurrency: 32, rotateEveryMs: 2_000 };
    const result = await runScenario<RotationResult>("rotation", input, SECONDS * 1_000 + 90_000);
    const { requests, failures, generations, heap, serials, handshakes, before, after } = result;
    console.log(
      `${protocol}: ${requests} requests, ${generations} generations, ${serials.length} serials in ${handshakes} handshakes, heap ${heap.slope.toFixed(0)} +- ${heap.error.toFixed(0)} bytes/s`,
    );
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(1_000);
    expect(generations).toBeGreaterThanOrEqual(SECONDS / 2 - 3);
    // Of what was shown in handshakes: what is open is renewed within half a minute, or when the server asks for it.
    expect(serials.length).toBeGreaterThan(1);
    expect(serials).not.toContain("none");
    expect(heap.slope).toBeLessThan(MAX_BYTES_A_SECOND);
    expect(after).toEqual(before);
  },
);
