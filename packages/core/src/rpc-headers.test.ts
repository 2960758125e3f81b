import fc from "fast-check";
import { expect, test } from "vitest";
import { formatGrpcTimeout, grpcPushbackMs, parseGrpcTimeout } from "./rpc-headers.ts";

test.each([
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["3S", 3_000],
  ["250m", 250],
  ["1500u", 1.5],
  ["99999999n", 99.999999],
  ["00000010m", 10],
  ["0m", 0],
  ["99999999m", 99_999_999],
  ["99999999H", Number.POSITIVE_INFINITY],
])("grpc-timeout %s is %s ms", (value, ms) => {
  expect(parseGrpcTimeout(value)).toBeCloseTo(ms, 9);
});

test.each([undefined, "", "m", "1", "123456789m", "-1m", "+1m", "1.5S", "1s", "1h", "1 m", " 1m", "1m ", "1mm", "1m\n", "1e2m", "\u0661m"])(
  "%j is no grpc-timeout",
  (value) => {
    expect(parseGrpcTimeout(value)).toBeUndefined();
  },
);

test("what is sent is never longer than what is left, nor off by more than a unit, and is read as it was meant", () => {
  fc.assert(
    fc.property(fc.double({ min: 1, max: 1e11, noNaN: true }), (ms) => {
      const sent = formatGrpcTimeout(ms);
      expect(sent).toMatch(/^\d{1,8}[mS]$/);
      const read = Number(sent.slice(0, -1)) * (sent.endsWith("S") ? 1_000 : 1);
      expect(read).toBeLessThanOrEqual(ms);
      if (ms < 99_999_999_000) expect(ms - read).toBeLessThan(sent.endsWith("S") ? 1_001 : 1);
      if (read <= 99_999_999) expect(parseGrpcTimeout(sent)).toBe(read);
    }),
  );
  expect(formatGrpcTimeout(0.2)).toBe("1m");
});

test("reading never throws, and gives nothing below zero", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^\d{0,9}[HMSmunx]$/)), (value) => {
      expect(parseGrpcTimeout(value) ?? 0).toBeGreaterThanOrEqual(0);
      expect(grpcPushbackMs({ "grpc-retry-pushback-ms": value }) ?? 0).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  [undefined, null],
  ["0", 0],
  ["150", 150],
  ["-1", Number.POSITIVE_INFINITY],
  ["", Number.POSITIVE_INFINITY],
  ["soon", Number.POSITIVE_INFINITY],
  ["1.5", Number.POSITIVE_INFINITY],
])("a pushback of %j is %s ms", (value, ms) => {
  expect(grpcPushbackMs(value === undefined ? {} : { "grpc-retry-pushback-ms": value })).toBe(ms);
  expect(grpcPushbackMs(null)).toBeNull();
});
