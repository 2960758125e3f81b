import type { CallOptions } from "@heddle/core";
import { expect, test } from "vitest";
import { checkCallOptions } from "./call-options.ts";

test("a value that JSON cannot say is still named with its option", () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  const mistakes = [{ timeout: 5n }, { retry: cycle }, { idempotent: Symbol("yes") }].map(
    (options) => () => checkCallOptions(options as object as CallOptions),
  );
  expect(mistakes[0]).toThrow(/^mesh\.timeout: .*not 5n$/);
  expect(mistakes[1]).toThrow(/^mesh\.retry: .*not an object$/);
  expect(mistakes[2]).toThrow(/^mesh\.idempotent: .*not a symbol$/);
});
