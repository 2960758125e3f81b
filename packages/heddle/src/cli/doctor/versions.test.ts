import { expect, test } from "vitest";
import { compareVersions, isInRange, parseVersion } from "./versions.ts";

test("versions are compared by their numbers", () => {
  expect(compareVersions(parseVersion("1.10.0"), parseVersion("1.9.1"))).toBeGreaterThan(0);
  expect(compareVersions(parseVersion("24.21.0-nightly"), parseVersion("24.21.0"))).toBe(0);
});

test.each([
  ["1.9.1", ">=1.3.0 <1.10.0", true],
  ["1.10.0", ">=1.3.0 <1.10.0", false],
  ["1.2.9", ">=1.3.0 <1.10.0", false],
  ["1.10.0", "^1.9.0", true],
  ["2.0.0", "^1.9.0", false],
  ["0.9.1", "^0.9.0", true],
  ["0.10.0", "^0.9.0", false],
  ["0.0.3", "^0.0.2", false],
  ["1.9.5", "~1.9.1", true],
  ["1.10.0", "~1.9.1", false],
  ["1.9.1", "1.9.1", true],
  ["1.9.2", "1.9.1", false],
  ["1.9.2", "1.9.x", true],
  ["2.4.0", "1.x || 2", true],
  ["3.0.0", "1.x || 2", false],
  ["1.0.0", ">= 1.0.0", true],
  ["7.0.0", "*", true],
  ["7.0.0", "workspace:*", true],
])("%s in %s: %s", (version, range, expected) => {
  expect(isInRange(version, range)).toBe(expected);
});
