import { expect, test } from "vitest";
import { cpuMicrosOf, processCpuMicros } from "./process-cpu.ts";

const AFTER_COMMAND = "S 1 2 2 0 -1 4194304 104 0 0 0 31 12 5 6 20 0 3 0 1127686 3133440 385";

test("user and system time are summed, those of ended children left out", () => {
  expect(cpuMicrosOf(`7 (envoy) ${AFTER_COMMAND}`)).toBe(430_000);
});

test("a command may contain spaces and parentheses", () => {
  expect(cpuMicrosOf(`7 (a) S 1 (b) ${AFTER_COMMAND}`)).toBe(430_000);
});

test("what is not such a line is refused, not counted as nothing", () => {
  expect(() => cpuMicrosOf("7 (envoy) S 1 2")).toThrow(/proc\(5\)/);
});

test.runIf(process.platform === "linux")("agrees with what this process knows of itself", () => {
  const own = process.cpuUsage();
  expect(Math.abs(processCpuMicros(process.pid) - own.user - own.system)).toBeLessThan(100_000);
});
