import { expect, test } from "vitest";
import { checkShare } from "./statistics.ts";

test("a share within what chance gives holds, one just outside does not", () => {
  // 1,000 draws of 10 %: a standard deviation is 9.49 hits, and 3.89 of them are 36.9.
  expect(checkShare(136, 1_000, 0.1, "to v2").held).toBe(true);
  expect(checkShare(137, 1_000, 0.1, "to v2").held).toBe(false);
  expect(checkShare(64, 1_000, 0.1, "to v2").held).toBe(true);
  expect(checkShare(63, 1_000, 0.1, "to v2").held).toBe(false);
});

test("a split that was not edited is told from the one that was", () => {
  expect(checkShare(60, 600, 0.5, "to v2").held).toBe(false);
});

test("nothing measured holds nothing", () => {
  expect(checkShare(0, 0, 0.1, "to v2").held).toBe(false);
});
