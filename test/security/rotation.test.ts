import { expect, test } from "vitest";
import { rotatingLoad } from "./rotating-load.ts";

// The long run, and what it keeps, is test/leaks/rotation.test.ts.

test.each(["http1", "http2"] as const)(
  "certificates of both sides rotated and the root replaced under load cost no request over %s",
  { timeout: 60_000 },
  async (protocol) => {
    const result = await rotatingLoad({ protocol, seconds: 5, concurrency: 32, rotateEveryMs: 500 });
    expect(result.failures).toEqual([]);
    expect(result.requests).toBeGreaterThan(200);
    expect(result.generations).toBeGreaterThanOrEqual(7);
    // The caller renews what is open within half a minute, so that not everybody shakes hands at once; these are what the server asked for.
    expect(result.serials.length).toBeGreaterThan(1);
    expect(result.serials).not.toContain("none");
  },
);
